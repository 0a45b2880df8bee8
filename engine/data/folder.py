"""Data sets in folders of four IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.data.idx import read_images, read_labels
from engine.data.idx_files import choose, files_of, sets_in
from engine.data.labels import MOST_CLASSES
from engine.data.split import Split
from engine.errors import DataError


def load_folder(
    path: Path, *, name: str, transposed: bool = False, first_label: int = 0, classes: tuple[str, ...] | None = None
) -> Dataset:
    """Load a data set from its four IDX files in the folder `path`, under their usual names, gzipped or not.

    The names may have a prefix (emnist-letters-train-images-idx3-ubyte); where files of several sets lie together,
    those with the prefix `name` are read. `transposed` images are stored column by column; `first_label` is
    subtracted from the labels; `classes` default to "0", "1"... Raises DataError, naming what is missing or wrong.
    """
    sets = sets_in(path)
    files = files_of(path, sets, choose(path, sets, name))
    splits = []
    for part in ("train", "test"):
        images = read_images(files[part, "images"])
        images = images[..., None] if images.ndim == 3 else images
        if transposed:
            images = np.ascontiguousarray(images.swapaxes(1, 2))
        labels = read_labels(files[part, "labels"]).astype(np.int32) - np.int32(first_label)
        if len(labels) and labels.min() < 0:
            at = int(labels.argmin())
            raise DataError(
                f"{files[part, 'labels']}: label {labels[at] + first_label} at index {at}; "
                f"the labels of {name} count from {first_label}"
            )
        splits.append(checked(images, labels, files[part, "labels"]))
    train, test = splits
    return Dataset(name, classes or count_classes(name, train, test), train, test)


def checked(images: NDArray[np.uint8], labels: NDArray[np.int32], source: Path) -> Split:
    """Return the split; DataError names `source` if they do not fit."""
    try:
        return Split(images, labels)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def count_classes(name: str, train: Split, test: Split) -> tuple[str, ...]:
    """Return "0", "1"... up to the largest label; DataError for one that can be no class."""
    largest = int(max(train.labels.max(), test.labels.max()))
    if largest >= MOST_CLASSES:
        raise DataError(f"{name}: label {largest} is too large; labels count classes from 0, at most {MOST_CLASSES}")
    return tuple(map(str, range(1 + largest)))
