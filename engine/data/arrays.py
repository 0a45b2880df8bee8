"""Images and labels that are in memory, or in mapped files, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data import cache, layout
from engine.data.axes import channels_first, channels_last
from engine.data.dataset import Dataset
from engine.data.held_out import hold_out, said
from engine.data.labels import AnyArray, numbered
from engine.data.parts import part_names
from engine.data.scale import Block, scale_for
from engine.errors import DataError

_BLOCK = 1 << 20  # values read at a time
Numbers = NDArray[np.int64]


class Images(Protocol):
    """Images of one shape, `shape` [N, ...], of which any can be read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return [N, H, W] or the like."""

    def read(self, numbers: Numbers) -> Block:
        """Return the images with these numbers, [n, ...]."""


class ArrayImages:
    """Images in one array, which may be a memory map."""

    def __init__(self, array: Block) -> None:
        self._array = array
        self.shape: tuple[int, ...] = array.shape

    def read(self, numbers: Numbers) -> Block:
        """Return a copy of some."""
        return self._array[numbers]


@dataclass(frozen=True)
class Part:
    """Images and their labels, as `flat_labels` returns them."""

    images: Images
    labels: AnyArray

    def __post_init__(self) -> None:
        if self.images.shape[0] != len(self.labels):
            raise DataError(f"{self.images.shape[0]} images but {len(self.labels)} labels: they must be as many")
        if not math.prod(self.images.shape):
            nothing = "no pixels" if self.images.shape[0] else "no images"
            raise DataError(f"{nothing}: the images have the shape {list(self.images.shape)}; at least one is needed")


def from_parts(name: str, parts: Sequence[Part], classes: Sequence[str] | None = None) -> Dataset:
    """Put images and labels into the cache, block by block, and return the data set there.

    `parts` are as in `part_names`; of a single one a sixth is held out. Raises DataError if they do not fit.
    """
    shape = parts[0].images.shape
    first = channels_first(shape)
    for called, part in zip(part_names(len(parts)), parts, strict=True):
        if part.images.shape[1:] != shape[1:]:
            raise DataError(f"training images are {list(shape[1:])} but {called} images {list(part.images.shape[1:])}")
    names, labels, notes = numbered([part.labels for part in parts], classes)
    if first:
        notes.append(f"channels come first in {list(shape)}; moved to the end")
    chosen = [(part, np.arange(len(part.labels))) for part in parts[: len(labels)]]
    if len(parts) == 1:
        held = hold_out(labels[0])
        notes.append(said(held, labels[0]))
        chosen = [(parts[0], np.flatnonzero(~held)), (parts[0], np.flatnonzero(held))]
        labels = [labels[0][~held], labels[0][held]]
    scale = scale_for((block for part, numbers in chosen for block in _blocks(part, numbers)), "images")
    images = (scale.apply(channels_last(block, first)) for part, numbers in chosen for block in _blocks(part, numbers))
    height, width, channels = channels_last(np.broadcast_to(np.uint8(0), (1, *shape[1:])), first).shape[1:]
    facts = f"{ {1: 'grey', 3: 'colour'}.get(channels, f'{channels} channels') }, {height}x{width} pixels"
    of_parts = dict(zip(part_names(len(labels)), labels, strict=True))
    size, pieces = layout.streamed(name, names, of_parts, (height, width, channels), images)
    digest = cache.store_stream(pieces, size)
    return cache.open_cached(digest, notes=tuple(filter(None, (facts, scale.text, *notes))))


def _blocks(part: Part, numbers: Numbers) -> Iterator[Block]:
    size = max(1, _BLOCK // math.prod(part.images.shape[1:]))
    for start in range(0, len(numbers), size):
        yield part.images.read(numbers[start : start + size])
