"""The parts in which data comes: what they are called, and which is used for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

PARTS = ("train", "validation", "valid", "val", "test")  # as files, folders and columns call them
_ALSO = {"training": "train", "testing": "test", "dev": "validation"}


def part_named(text: str) -> str | None:
    """Return the part, one of PARTS, that a text stands for."""
    word = text.strip().lower()
    word = _ALSO.get(word, word)
    return word if word in PARTS else None


def part_names(count: int) -> tuple[str, ...]:
    """Return what the parts of a data set are, in order, where it comes in 1, 2 or 3; of a single one some is held out.

    The second of two is the one to choose by as well as to test with.
    """
    return ("train", "validation", "test") if count == 3 else ("train", "test")[:count]


def in_parts(kinds: Sequence[str]) -> tuple[NDArray[np.int64], tuple[int, ...], list[str]]:
    """Put samples of these parts in order: those for training, for validation and for testing, where there are any.

    Returns their numbers, how many there are of each part, and notes. Raises DataError if none are for training.
    """
    known = {kind: number for number, kind in enumerate(PARTS)}
    codes = np.array([known[kind] for kind in kinds])
    chosen, ignored = chosen_parts([PARTS[code] for code in np.unique(codes)])
    if chosen[0] != "train":
        raise DataError(f"there are {', '.join(chosen)} samples but none to train with")
    numbers = [np.flatnonzero(codes == known[kind]) for kind in chosen]
    notes = [f"not read: {', '.join(ignored)}, beside {' and '.join(chosen)}"] if ignored else []
    return np.concatenate(numbers), tuple(map(len, numbers)), notes


def chosen_parts(present: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of PARTS are used, in order, and which are not: of those for validation only the first is."""
    validation = [kind for kind in PARTS[1:-1] if kind in present]
    chosen = [kind for kind in ("train", *validation[:1], "test") if kind in present]
    return chosen, validation[1:]
