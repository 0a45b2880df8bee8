"""Which columns of a table hold pictures, labels and parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.picture_folder import PARTS
from engine.errors import DataError

_IMAGES = ("image", "img", "picture", "photo", "file", "filename", "file_name", "filepath", "file_path", "path",
           "image_path", "image_file", "images")  # fmt: skip
_LABELS = ("label", "labels", "class", "class_name", "category", "target", "y")
_PARTS = ("split", "part", "subset", "set")
_ALSO = {"training": "train", "testing": "test", "dev": "validation"}
Columns = tuple[str, str]


def find_columns(names: Sequence[str], chosen: Columns | None) -> Columns:
    """Return the names of the columns of pictures and of labels, as chosen or by their usual names.

    DataError if it is not clear which they are.
    """
    if chosen:
        missing = [name for name in chosen if name not in names]
        if missing:
            raise DataError(f"no column {missing[0]!r}; there are {', '.join(names)}")
        return chosen
    images, labels = (_matching(names, usual) for usual in (_IMAGES, _LABELS))
    if len(names) == 2 and len(images) + len(labels) == 1:  # the other one can only be the other one
        images = images or [name for name in names if name not in labels]
        labels = labels or [name for name in names if name not in images]
    if len(images) != 1 or len(labels) != 1:
        raise DataError(
            f"unclear which of the columns {', '.join(names)} holds the pictures, and which the labels; call them file "
            'and label, or choose them, such as columns=("picture", "species")'
        )
    return images[0], labels[0]


def image_columns(names: Sequence[str]) -> list[str]:
    """Return the names of the columns that are called as those of pictures are."""
    return _matching(names, _IMAGES)


def label_columns(names: Sequence[str]) -> list[str]:
    """Return the names of the columns that are called as those of labels, or of other targets, are."""
    return _matching(names, _LABELS)


def part_column(names: Sequence[str]) -> str | None:
    """Return the name of the column that says which part a sample belongs to, if there is one."""
    found = _matching(names, _PARTS)
    return found[0] if len(found) == 1 else None


def part_named(text: str) -> str | None:
    """Return the part, one of PARTS, that a text stands for."""
    word = text.strip().lower()
    word = _ALSO.get(word, word)
    return word if word in PARTS else None


def in_parts(kinds: Sequence[str]) -> tuple[NDArray[np.int64], int, list[str]]:
    """Put samples of these parts in order: the numbers of those for training, then of those for testing.

    Returns them, how many are for training, and notes. Validation comes before test where there are both. Raises
    DataError if none are for training.
    """
    known = {kind: number for number, kind in enumerate(PARTS)}
    codes = np.array([known[kind] for kind in kinds])
    present = [PARTS[code] for code in np.unique(codes)]
    if "train" not in present:
        raise DataError(f"there are {', '.join(present)} samples but none to train with")
    train = np.flatnonzero(codes == 0)
    test = np.flatnonzero(codes == known[present[1]]) if len(present) > 1 else train[:0]
    ignored = present[2:]
    notes = [f"not read: {', '.join(ignored)}, beside train and {present[1]}"] if ignored else []
    return np.concatenate([train, test]), len(train), notes


def _matching(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    return [name for name in names if name.strip().lower() in usual]
