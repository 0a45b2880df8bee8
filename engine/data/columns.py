"""Which columns of a table hold pictures, labels and parts of a data set."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import DataError

_IMAGES = ("image", "img", "picture", "photo", "file", "filename", "file_name", "filepath", "file_path", "path",
           "image_path", "image_file", "images")  # fmt: skip
_LABELS = ("label", "labels", "class", "class_name", "category", "target", "y")
_PARTS = ("split", "part", "subset", "set")
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
            "and label, or choose them, such as --columns picture,species"
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


def _matching(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    return [name for name in names if name.strip().lower() in usual]
