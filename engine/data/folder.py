"""Data sets from files that people already have: folders of four IDX files, and .npz archives."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, Split
from engine.data.idx import read_images, read_labels
from engine.data.idx_files import choose, files_of, sets_in
from engine.data.labels import MOST_CLASSES
from engine.errors import DataError

# What numpy and zipfile raise for damaged archives; RuntimeError for encrypted ones and unknown ways of compression.
DAMAGED = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_NPZ_KEYS = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
)


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
        splits.append(_checked(images, labels, files[part, "labels"]))
    train, test = splits
    return Dataset(name, classes or _numbered(name, train, test), train, test)


def load_npz(path: Path) -> Dataset:
    """Load a data set from an .npz archive; its name is the file's name without the ending.

    Keys: train_images, train_labels, test_images, test_labels; or x_train, y_train, x_test, y_test; or images and
    labels alone, of which a fixed random sixth becomes the test part. Images are uint8 [N, H, W] or [N, H, W, C],
    labels integers [N] from 0; `classes` may hold their names. Raises DataError if it is anything else.
    """
    arrays = _read_npz(path)
    for keys in _NPZ_KEYS:
        if all(key in arrays for key in keys):
            train, test = _npz_split(path, arrays, *keys[:2]), _npz_split(path, arrays, *keys[2:])
            break
    else:
        if "images" not in arrays or "labels" not in arrays:
            wanted = "; or ".join(", ".join(keys) for keys in (*_NPZ_KEYS, ("images", "labels")))
            raise DataError(f"{path}: has the keys {', '.join(sorted(arrays)) or '(none)'}, but wanted are {wanted}")
        train, test = _cut(path, _npz_split(path, arrays, "images", "labels"))
    given = tuple(str(c) for c in np.ravel(arrays["classes"])) if "classes" in arrays else None
    return Dataset(path.stem, given or _numbered(path.stem, train, test), train, test)


def _read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DataError(f"{path}: not an .npz archive; a folder of pictures, .csv, .parquet and .npz are read")
        with np.load(path, allow_pickle=False) as archive:
            return {str(key): np.asarray(archive[key]) for key in archive.files}
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except DAMAGED as error:
        raise DataError(f"{path}: not a readable .npz archive of plain arrays ({error})") from error


def _checked(images: NDArray[np.uint8], labels: NDArray[np.int32], source: Path) -> Split:
    try:
        return Split(images, labels)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def _numbered(name: str, train: Split, test: Split) -> tuple[str, ...]:
    """Return "0", "1"... up to the largest label; DataError for one that can be no class."""
    largest = int(max(train.labels.max(), test.labels.max()))
    if largest >= MOST_CLASSES:
        raise DataError(f"{name}: label {largest} is too large; labels count classes from 0, at most {MOST_CLASSES}")
    return tuple(map(str, range(1 + largest)))


def _npz_split(path: Path, arrays: Mapping[str, NDArray[np.generic]], image_key: str, label_key: str) -> Split:
    images, labels = arrays[image_key], arrays[label_key]
    if images.dtype != np.uint8:
        hint = "; multiply values from 0 to 1 by 255 first" if images.dtype.kind == "f" else ""
        raise DataError(f"{path}: {image_key} is {images.dtype}; images must be uint8{hint}")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{path}: {label_key} is {labels.dtype}; labels must be integers")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) <= np.iinfo(np.int32).max:
        raise DataError(f"{path}: {label_key} runs from {labels.min()} to {labels.max()}; labels count from 0")
    images = images[..., None] if images.ndim == 3 else images
    return _checked(np.ascontiguousarray(images).view(np.uint8), labels.astype(np.int32), path)


def _cut(path: Path, whole: Split) -> tuple[Split, Split]:
    """Set a sixth of the samples aside for testing: the last of a permutation that is always the same."""
    if len(whole) < 2:
        raise DataError(f"{path}: a single image cannot be cut into a training and a test part")
    # Raw Philox words, since they are the same in every version of numpy.
    keys = np.random.Philox(key=6).random_raw(len(whole))
    order = np.argsort(keys, kind="stable")
    tested = max(1, len(whole) // 6)
    train, test = order[:-tested], order[-tested:]
    return Split(whole.images[train], whole.labels[train]), Split(whole.images[test], whole.labels[test])
