"""Pictures decoded into the cache of data sets, once, in one pass that holds only a few of them in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.data import cache, layout
from engine.data.collection import Collection, Options, listed
from engine.data.dataset import Dataset
from engine.data.held_out import hold_out, said
from engine.data.in_order import in_order
from engine.data.parts import part_names
from engine.data.picture import Form, read, strict
from engine.data.reading import flat
from engine.data.survey import decode_all, form_of, survey, threads_for
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.picture import Encoded

VERSION = 2  # of what pictures become; to be raised when a single byte of them changes
Item = TypeVar("Item")
_BLOCK = 1 << 18  # bytes that are decoded at a time by a thread


def opened(collection: Collection, options: Options, folder: Path | None = None) -> Dataset:
    """Return the data set of these pictures from the cache `folder`, where it is put unless nothing has changed since.

    Raises DataError if pictures do not fit together or cannot be read, all of which are listed.
    """
    key = _key(collection, options)
    known = _remembered(key, folder) if key else None
    if known is None:
        with strict():
            known = _Conversion(collection, options, folder).run()
        if key:
            cache.note(key, json.dumps(known), folder)
    digest, notes = known
    return cache.open_cached(digest, folder, notes=tuple(notes), scaled=options.size is not None)


def _key(collection: Collection, options: Options) -> str | None:
    """Return what stands for these pictures as they are now, with these options, among the notes of the cache."""
    states = collection.pictures.state()
    if states is None:
        return None
    digest = hashlib.sha256()
    made_by = [VERSION, version("pillow"), options.size, options.skip_unreadable]
    digest.update(json.dumps([*made_by, collection.name, collection.classes, collection.notes]).encode())
    digest.update(collection.labels.tobytes() + json.dumps(collection.counts).encode())
    for state in states:
        digest.update(state.encode("utf-8", "surrogatepass") + b"\n")
    return f"pictures-{digest.hexdigest()}"


def _remembered(key: str, folder: Path | None) -> tuple[str, list[str]] | None:
    try:
        digest, notes = json.loads(cache.noted(key, folder) or "null")
        if cache.path_of(digest, folder).exists():
            return digest, [str(note) for note in notes]
    except (TypeError, ValueError, DataError):
        pass  # there is no note, or it is damaged: converting again puts it right
    return None


class _UnreadableError(DataError):
    """Some pictures could not be decoded, so what was written is of no use."""


class _Conversion:
    """One collection on its way into the cache."""

    def __init__(self, collection: Collection, options: Options, folder: Path | None) -> None:
        self._collection = collection
        self._options = options
        self._folder = folder
        self._found = survey(collection, options.progress)
        self._flat: list[int] = []

    def run(self) -> tuple[str, list[str]]:
        """Convert all that can be read; return the digest, and what to tell a person."""
        if self._found.faults and not self._options.skip_unreadable:
            decode_all(self._collection, self._found)
            raise self._refusal()
        while True:
            try:
                return self._store()
            except _UnreadableError:
                if not self._options.skip_unreadable:
                    raise self._refusal() from None

    def _store(self) -> tuple[str, list[str]]:
        collection, kept = self._collection, self._found.readable()
        if not len(kept):
            raise self._refusal()
        form, notes = form_of(collection, self._found, kept, self._options)
        parts, more = self._parts(kept)
        labels = {name: collection.labels[numbers] for name, numbers in parts.items()}
        blocks = self._blocks(list(parts.values()), form)
        shape = form.height, form.width, form.channels
        size, pieces = layout.streamed(collection.name, collection.classes, labels, shape, blocks)
        digest = cache.store_stream(pieces, size, self._folder)
        return digest, [*notes, *more, *collection.notes, *self._oddities()]

    def _parts(self, kept: NDArray[np.int64]) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
        """Return the numbers of each part by its name, and what to tell of them."""
        counts = self._collection.counts
        if len(counts) == 1:
            labels = self._collection.labels[kept]
            held = hold_out(labels)
            return {"train": kept[~held], "test": kept[held]}, [said(held, labels)]
        cuts = np.split(kept, np.searchsorted(kept, np.cumsum(counts)[:-1]))
        if not all(map(len, cuts)):
            raise self._refusal()
        return dict(zip(part_names(len(counts)), cuts, strict=True)), []

    def _blocks(self, parts: list[NDArray[np.int64]], form: Form) -> Iterator[NDArray[np.uint8]]:
        """Yield all pictures, decoded, in blocks; from the first that cannot be read on, only look for others."""
        size = max(1, _BLOCK // (form.height * form.width * form.channels))
        pictures, done, total = self._collection.pictures, 0, sum(map(len, parts))
        sources = chain.from_iterable(zip(part, pictures.read(part), strict=True) for part in parts)
        before, progress = len(self._found.faults), self._options.progress
        decoded = in_order(partial(_decoded, form), _batched(sources, size), threads_for(self._found))
        for images, numbers, faults in decoded:
            self._found.faults.update(faults)
            if len(self._found.faults) == before:
                self._flat += (number for number, same in zip(numbers, flat(images), strict=True) if same)
                yield images
            done += len(numbers)
            if progress:
                progress("converting pictures", done, total)
        if len(self._found.faults) > before:
            raise _UnreadableError

    def _oddities(self) -> list[str]:
        """Tell of pictures that are probably not what they were meant to be, and of those left out."""
        notes = []
        for what, numbers in (("show one flat colour", self._flat), ("cannot be read", list(self._found.faults))):
            if numbers:
                left_out = ", and left out" if numbers is not self._flat else ""
                names = listed((self._collection.pictures.name(n) for n in numbers), len(numbers))
                notes.append(f"pictures that {what}{left_out}: {len(numbers):,}{names}")
        return notes

    def _refusal(self) -> DataError:
        """Return the error that lists what cannot be read."""
        faults = sorted(self._found.faults.items())
        names = listed((f"{self._collection.pictures.name(n)} {why}" for n, why in faults), len(faults))
        return DataError(
            f"{self._collection.name}: of {len(self._collection.labels):,} pictures, {len(faults):,} cannot be used:"
            f"{names}\nMend or remove them, or leave them out with --skip-unreadable"
        )


def _decoded(
    form: Form, batch: Sequence[tuple[np.int64, Encoded]]
) -> tuple[NDArray[np.uint8], list[int], dict[int, str]]:
    """Return the pictures as uint8 [n, H, W, C], their numbers, and what is wrong with which."""
    images = np.zeros((len(batch), form.height, form.width, form.channels), np.uint8)
    faults = {}
    for image, (number, source) in zip(images, batch, strict=True):
        try:
            image[...] = read(source, form)
        except DataError as error:
            faults[int(number)] = str(error)
    return images, [int(number) for number, _ in batch], faults


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one perhaps shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
