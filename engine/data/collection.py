"""Pictures that are to become a data set: what they are called, which class each has, and how to get at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data.labels import AnyArray, numbered
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.picture import Encoded

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many
LISTED = 10  # names in a message; then only their number
LARGEST_SIDE = 1 << 14  # pixels


class Pictures(Protocol):
    """Pictures by number, in a fixed order."""

    def __len__(self) -> int:
        """Return how many there are."""

    def name(self, number: int) -> str:
        """Return what a person calls the picture."""

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Encoded]:
        """Yield the pictures with these numbers, which ascend, in turn."""

    def state(self) -> Iterable[str] | None:
        """Yield texts that differ once a picture was changed; None if that cannot be seen from outside."""


@dataclass(frozen=True)
class Options:
    """What a person may choose of how pictures are read. `size` is (H, W), `columns` those of pictures and labels."""

    size: tuple[int, int] | None = None
    skip_unreadable: bool = False
    columns: tuple[str, str] | None = None
    progress: Progress | None = None

    def chosen(self) -> list[str]:
        """Return the names of those that were chosen."""
        values = {"size": self.size, "skip-unreadable": self.skip_unreadable, "columns": self.columns}
        return [name for name, value in values.items() if value]

    def check_unused(self, source: str) -> None:
        """Raise DataError if something was chosen that `source` has no use for."""
        for name in self.chosen():
            raise DataError(f"{source}: {name} is for pictures, and this data set holds arrays; leave it out")


@dataclass(frozen=True)
class Collection:
    """`labels` int32 [N] for the first N pictures, which are in the order of their parts.

    `counts` says how many each part has, as in `part_names`; a sixth of a single one is to be held out.
    """

    name: str
    classes: tuple[str, ...]
    pictures: Pictures
    labels: NDArray[np.int32]
    counts: tuple[int, ...]
    notes: tuple[str, ...] = ()


def labelled(
    name: str,
    pictures: Pictures,
    labels: AnyArray,
    counts: Sequence[int],
    classes: Sequence[str] | None,
    notes: Sequence[str],
) -> Collection:
    """Return a collection of pictures in the order of their parts; DataError if the labels do not fit."""
    names, numbers, more = numbered(np.split(labels, np.cumsum(counts)[:-1]), classes)
    return Collection(name, names, pictures, np.concatenate(numbers), tuple(map(len, numbers)), (*notes, *more))


class Files:
    """Pictures in files: paths relative to `root`."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self._root = root
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def name(self, number: int) -> str:
        """Return the path."""
        return str(self._root / self._names[number])

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Encoded]:
        """Yield the paths: the process that decodes a picture opens its file."""
        for number in numbers:
            yield self.name(int(number))

    def state(self) -> Iterator[str]:
        """Yield name, size and time of change of each file."""
        for name in self._names:
            try:
                status = (self._root / name).stat()
                yield f"{name}\0{status.st_size}\0{status.st_mtime_ns}"
            except OSError as error:
                yield f"{name}\0{error.errno}"


def size_option(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return a size a person gave, a side or (height, width), as (H, W); DataError if it cannot be one."""
    match size:
        case None:
            return None
        case int() if 1 <= size <= LARGEST_SIDE:
            return size, size
        case (int() as height, int() as width) if min(height, width) >= 1 and max(height, width) <= LARGEST_SIDE:
            return height, width
    raise DataError(f"size must be a number of pixels, or (height, width), each from 1 to {LARGEST_SIDE}, got {size!r}")


def listed(names: Iterable[str], count: int) -> str:
    """Return the first of `count` names, and how many more there are, one a line."""
    some = [f"\n  {name}" for name, _ in zip(names, range(LISTED), strict=False)]
    more = f"\n  and {count - LISTED:,} more" if count > LISTED else ""
    return "".join(some) + more
