"""Data sets on disk, found by digest: `<folder>/<sha256 of the file>.safetensors`, read through a memory map.

A file of that name is complete: it is written under another name, synced and renamed. What a killed process leaves
behind is removed an hour later. Small `.key` files remember which digest some generated data set had.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.data import cache_limit, layout
from engine.data.dataset import Dataset
from engine.errors import DataError
from engine.system.files import TEMPORARY, mapped, write_atomically
from engine.system.places import cache_folder

_STALE = 3600.0  # seconds; writing a file never takes that long
PART = ".part-"  # of what arrives over the network


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
    Raises DataError if the folder cannot be written.
    """
    pieces = layout.pieces(dataset)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    path = path_of(digest.hexdigest(), folder)
    if not _holds(path, pieces):
        cache_limit.make(path.parent, sum(piece.nbytes for piece in pieces))
        _write(path, pieces)
    return digest.hexdigest()


def open_cached(digest: str, folder: Path | None = None) -> Dataset:
    """Open a data set of the cache: read-only arrays over a memory map, shared by all processes that open it.

    The whole file is read once to check that its digest is still `digest`: two workers with the same damaged file would
    send the same wrong sums. Raises DataError if it is missing, and DamagedError if it is damaged: it has to be deleted
    and stored again.
    """
    path, found = path_of(digest, folder), content(digest, folder)
    if hashlib.sha256(found).hexdigest() != digest:
        raise DamagedError(f"{path}: its content is not what its name says; delete it and load the data set again")
    return layout.parse(np.frombuffer(found, np.uint8), path)


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
    _write(_key_path(key, folder), [digest.encode()])


def remembered(key: str, folder: Path | None = None) -> str | None:
    """Return the digest noted for `key`, or None if there is none or its data set is no longer in the cache."""
    try:
        digest = _key_path(key, folder).read_text("ascii")
        return digest if path_of(digest, folder).exists() else None
    except (OSError, UnicodeDecodeError, DataError):
        return None  # making the data set again mends any fault of the note


def _key_path(key: str, folder: Path | None) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", key):
        raise DataError(f"{key!r} cannot be a key of the data cache: letters, digits, '.', '-' and '_' only")
    return (folder or cache_folder()) / f"{key}.key"


def _write(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write `pieces` to `path` so that the name never stands for less than all of them."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(path.parent)
        write_atomically(path, pieces, mode=0o600)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> DataError:
    """Return what to say when `path`, in the cache, cannot be written."""
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
