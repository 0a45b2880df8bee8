"""Data sets in .npz archives."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.axes import channels_first, channels_last
from engine.data.dataset import Dataset
from engine.data.folder import checked, count_classes
from engine.data.held_out import TESTING
from engine.data.labels import AnyArray, flat_labels, numbered
from engine.data.reading import DAMAGED as DAMAGED_ARRAY
from engine.data.scale import Block, scale_for
from engine.data.split import Split
from engine.errors import DataError
from engine.kernels.streams import Purpose, Stream

# What numpy and zipfile raise for damaged archives; RuntimeError for encrypted ones and unknown ways of compression.
DAMAGED = (*DAMAGED_ARRAY, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_KEYS = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("images", "labels"),
)


def load_npz(path: Path) -> Dataset:
    """Load a data set from an .npz archive; its name is the file's name without the ending.

    Keys: train_images, train_labels, test_images, test_labels; or x_train, y_train, x_test, y_test; or images and
    labels alone, of which a fixed random sixth becomes the test part. Images are [N, H, W] or [N, H, W, C], numbers as
    `scale_for` takes them; labels are words, or integers from 0 whose names `classes` may hold. Raises DataError if it
    is anything else.
    """
    arrays = _read_npz(path)
    keys = next((keys for keys in _KEYS if all(key in arrays for key in keys)), None)
    if keys is None:
        wanted = "; or ".join(", ".join(keys) for keys in _KEYS)
        raise DataError(f"{path}: has the keys {', '.join(sorted(arrays)) or '(none)'}, but wanted are {wanted}")
    try:
        given = _texts(arrays["classes"]) if "classes" in arrays else None
        images, notes = _images([arrays[key] for key in keys[::2]], " and ".join(keys[::2]))
        names, labels = _labels([flat_labels(arrays[key], key) for key in keys[1::2]], given)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    parts = [checked(*part, path) for part in zip(images, labels, strict=True)]
    train, test = parts if len(parts) == 2 else _cut(path, *parts)
    return Dataset(path.stem, names or count_classes(path.stem, train, test), train, test, notes=notes)


def _images(arrays: list[Block], what: str) -> tuple[list[NDArray[np.uint8]], tuple[str, ...]]:
    """Return images as uint8 [N, H, W, C], and what was done to them."""
    scale = scale_for(arrays, what)
    firsts = [channels_first(array.shape) for array in arrays]
    moved = ("channels come first; moved to the end",) if any(firsts) else ()
    images = [scale.apply(channels_last(array, first)) for array, first in zip(arrays, firsts, strict=True)]
    return [np.ascontiguousarray(image) for image in images], (*filter(None, (scale.text,)), *moved)


def _labels(
    labels: list[AnyArray], classes: list[str] | None
) -> tuple[tuple[str, ...] | None, list[NDArray[np.int32]]]:
    """Return the names of classes, None if they are just numbers, and labels that count them from 0."""
    if any(part.dtype.kind == "U" for part in labels):
        names, numbers, _ = numbered(labels, classes)
        return names, numbers
    for part in labels:
        if part.size and not 0 <= int(part.min()) <= int(part.max()) <= np.iinfo(np.int32).max:
            raise DataError(f"labels run from {part.min()} to {part.max()}; they count from 0")
    return tuple(classes) if classes else None, [part.astype(np.int32) for part in labels]


def _texts(classes: AnyArray) -> list[str]:
    names: list[str] = flat_labels(np.ravel(classes), "classes").astype(str).tolist()
    if len(set(names)) < len(names):
        raise DataError("two classes have the same name; each needs its own")
    return names


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


def _cut(path: Path, whole: Split) -> tuple[Split, Split]:
    """Set a sixth of the samples aside for testing: the last of a permutation that is always the same."""
    if len(whole) < 2:
        raise DataError(f"{path}: a single image cannot be cut into a training and a test part")
    keys = Stream(TESTING, Purpose.HELD_OUT).words(len(whole))
    order = np.argsort(keys, kind="stable")
    tested = max(1, len(whole) // 6)
    train, test = order[:-tested], order[-tested:]
    return Split(whole.images[train], whole.labels[train]), Split(whole.images[test], whole.labels[test])
