"""Data sets on disk, found by digest: `<folder>/<sha256 of the file>.safetensors`, read through a memory map.

A file of that name is complete: it is written under another name, synced and renamed. What a killed process leaves
behind is removed an hour later. Small `.key` files remember which digest some generated data set had.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from engine.data import cache_limit, layout
from engine.data.dataset import Dataset
from engine.errors import DataError
from engine.system.files import TEMPORARY, mapped, move_into_place
from engine.system.places import cache_folder

_STALE = 3600.0  # seconds; writing a file never takes that long
PART = ".part-"  # of what is made piece by piece, or arrives over the network
_opened: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()  # their digests: to hash gigabytes again takes long


class DamagedError(DataError):
    """The content of a file is not what its name says."""


def path_of(digest: str, folder: Path | None = None) -> Path:
    """Return the place of the data set with this digest; DataError unless it is a SHA-256 in lower-case hex."""
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise DataError(f"{digest!r} is not a data digest: 64 hexadecimal digits in lower case are expected")
    return (folder or cache_folder()) / f"{digest}.safetensors"


def store(dataset: Dataset, folder: Path | None = None) -> str:
    """Put `dataset` into the cache, unless it is there, and return its digest, which depends on its content only.

    A file of that name with other content, which a disk or a person has damaged, is replaced.
    A data set that was opened from the cache is there as long as its file is.
    Raises DataError if the folder cannot be written.
    """
    known = _opened.get(dataset)
    if known is not None and path_of(known, folder).exists():
        return known
    pieces = layout.pieces(dataset)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    path = path_of(digest.hexdigest(), folder)
    if not _holds(path, pieces):
        cache_limit.make(path.parent, sum(piece.nbytes for piece in pieces))
        _write(path.parent, pieces, lambda: path)
    return digest.hexdigest()


def store_stream(pieces: Iterable[bytes | memoryview], size: int, folder: Path | None = None) -> str:
    """Put a data set into the cache that is made piece by piece, as `layout.pieces` would, and return its digest.

    `size` is how many bytes it has in all. No more than a piece is held in memory, and nothing is left behind if
    making one fails. Raises DataError if the folder cannot be written, or has no room within its limit.
    """
    folder = folder or cache_folder()
    cache_limit.make(folder, size)
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes | memoryview]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    _write(folder, hashed(), lambda: path_of(digest.hexdigest(), folder))
    return digest.hexdigest()


def open_cached(
    digest: str, folder: Path | None = None, *, notes: tuple[str, ...] = (), scaled: bool = False
) -> Dataset:
    """Open a data set of the cache: read-only arrays over a memory map, shared by all processes that open it.

    The whole file is read once to check that its digest is still `digest`: two workers with the same damaged file would
    send the same wrong sums. Raises DataError if it is missing, and DamagedError if it is damaged: it has to be deleted
    and stored again.
    """
    path, found = path_of(digest, folder), content(digest, folder)
    if hashlib.sha256(found).hexdigest() != digest:
        raise DamagedError(f"{path}: its content is not what its name says; delete it and load the data set again")
    stored = layout.parse(np.frombuffer(found, np.uint8), path)
    dataset = replace(stored, notes=notes, scaled=scaled) if notes or scaled else stored
    _opened[dataset] = digest
    return dataset


def _holds(path: Path, pieces: Iterable[memoryview]) -> bool:
    """Tell whether the content of the file is `pieces`, which is several times faster to see than to hash it."""
    try:
        there = np.frombuffer(mapped(path), np.uint8)
    except (OSError, ValueError):
        return False  # there is none, or it is empty; any other fault shows when it is written
    start = 0
    for piece in pieces:
        end = start + piece.nbytes
        if not np.array_equal(there[start:end], np.frombuffer(piece, np.uint8)):
            return False
        start = end
    return start == there.size


def content(digest: str, folder: Path | None = None) -> memoryview:
    """Return the bytes of a data set's file, mapped; DataError if it is not there."""
    path = path_of(digest, folder)
    try:
        found = mapped(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: not in the cache; load the data set again to put it there") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be mapped ({error}); delete it") from error
    with contextlib.suppress(OSError):  # a read-only cache
        os.utime(path)  # the least recently used are the first to go
    return found


def remember(key: str, digest: str, folder: Path | None = None) -> None:
    """Note that the data set made from `key` (letters, digits, dot, dash, underscore) has this digest."""
    path_of(digest, folder)
    note(key, digest, folder)


def note(key: str, text: str, folder: Path | None = None) -> None:
    """Keep a short text under `key`, in place of what was there; DataError if it cannot be written."""
    path = _key_path(key, folder)
    _write(path.parent, [text.encode("ascii")], lambda: path)


def noted(key: str, folder: Path | None = None) -> str | None:
    """Return the text kept under `key`; None if there is none that can be read."""
    try:
        return _key_path(key, folder).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None  # what it would have saved is done again, which replaces it


def remembered(key: str, folder: Path | None = None) -> str | None:
    """Return the digest noted for `key`, or None if there is none or its data set is no longer in the cache."""
    try:
        digest = noted(key, folder)
        return digest if digest and path_of(digest, folder).exists() else None
    except (OSError, DataError):
        return None  # the data set is made again, which replaces the note


def _key_path(key: str, folder: Path | None) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", key):
        raise DataError(f"{key!r} cannot be a key of the data cache: letters, digits, '.', '-' and '_' only")
    return (folder or cache_folder()) / f"{key}.key"


def _write(folder: Path, pieces: Iterable[bytes | memoryview], path: Callable[[], Path]) -> None:
    """Write `pieces` to a file in `folder`, whose name is asked for once all are written: it never stands for less."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(folder)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=PART)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            move_into_place(part, path())
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> DataError:
    """Return what to say when `path`, in the cache or the cache itself, cannot be written."""
    return DataError(
        f"{path}: cannot be written ({error.strerror or error}); free space there, or set GRADSUM_CACHE to "
        "a folder that can be written"
    )


def _remove_stale(folder: Path) -> None:
    for part in folder.iterdir():
        if not (part.name.startswith(PART) or TEMPORARY.fullmatch(part.name)):
            continue
        # Another process may remove the same file at the same time.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > _STALE:
                part.unlink()
