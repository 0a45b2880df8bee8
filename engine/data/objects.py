"""Data given in Python: arrays with labels, and anything with `len` and `[i]` -> (image, label)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.data.arrays import ArrayImages, Images, Numbers, Part, from_parts
from engine.data.collection import Options, labelled
from engine.data.columns import Columns, find_columns
from engine.data.convert import opened
from engine.data.dataset import Dataset
from engine.data.labels import AnyArray, flat_labels, of_one_type
from engine.data.parts import in_parts, part_named, part_names
from engine.data.picture import strict
from engine.data.row_arrays import joined, pair_rows
from engine.data.rows import Rows, from_rows
from engine.data.scale import Block
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.picture import Encoded

NAME = "arrays"


def from_objects(
    source: Any,
    options: Options,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    target_column: str | None = None,
    task: str | None = None,
) -> Dataset:
    """Return the data set of (X, y), of ((X, y), (Xt, yt)), of a sequence of pairs, or of two such, or of a mapping
    of "train", "validation" and "test" to such; DataError if it is none of these.
    """
    if target_column is not None:
        raise DataError("target_column is for files; in Python give the target as y in (X, y)")
    parts, notes = _parts(source, options.columns)
    tables = [part.table() for part in parts]
    if all(tables):
        options.check_unused(name or NAME)
        return from_rows(name or NAME, joined([table for table in tables if table]), task, classes)
    if any(tables) or task is not None:
        raise DataError(
            "one part holds features, the other images" if any(tables) else "task is for features; leave it out"
        )
    known = classes or next((names for names in (part.class_names() for part in parts) if names), None)
    if all(part.holds_arrays() for part in parts):
        options.check_unused(name or NAME)
        return from_parts(name or NAME, [Part(part.images(), part.labels()) for part in parts], known)
    if any(part.holds_arrays() for part in parts):
        raise DataError("one part holds arrays, the other pictures; give both as the same")
    labels = [part.labels() for part in parts]
    pictures = _Objects(parts, [len(some) for some in labels])
    counts = [len(some) for some in labels]
    collection = labelled(name or "pictures", pictures, np.concatenate(of_one_type(labels)), counts, known, notes)
    with strict():
        return opened(collection, options)


def _parts(source: Any, columns: Columns | None) -> tuple[list[_Samples], list[str]]:
    """Return the parts, training first, and notes."""
    if isinstance(source, Mapping):
        kinds = [part_named(str(key)) for key in source]
        if not source or None in kinds:
            raise DataError(f"a mapping must be of train and test, not of {', '.join(map(repr, source)) or 'nothing'}")
        order, _, notes = in_parts([kind for kind in kinds if kind])
        values = list(source.values())
        return [_part(values[number], columns) for number in order], notes
    if isinstance(source, tuple) and len(source) == 2 and not _are_labels(source[1]):
        return [_part(value, columns) for value in source], []
    return [_part(source, columns)], []


def _part(value: Any, columns: Columns | None) -> _Samples:
    if isinstance(value, tuple) and any(hasattr(one, "toarray") for one in value):
        raise DataError("X or y is a sparse matrix: give X.toarray()")
    if isinstance(value, tuple) and len(value) == 2 and _are_labels(value[1]):
        return _Pair(*value)
    if not hasattr(value, "__len__") or not hasattr(value, "__getitem__") or isinstance(value, str | bytes):
        raise DataError(
            f"{type(value).__name__} cannot be read as data: give a name or path, (X, y), ((X, y), (Xt, yt)), or "
            "something with len and [i] that returns (image, label)"
        )
    return _Pairs(value, columns)


def _are_labels(value: Any) -> bool:
    """Tell whether something is a list of labels, rather than of images or samples."""
    if hasattr(value, "shape"):
        return 1 <= len(value.shape) <= 2
    if not isinstance(value, list | tuple) or not value:
        return False
    row = isinstance(value, list) and isinstance(value[0], list | tuple) and len(value[0]) > 0
    if row and all(isinstance(number, float | np.floating) for number in value[0]):  # values [N, T]
        return True
    first = value[0][0] if row and len(value[0]) == 1 else value[0]  # a tuple of lists is (X, y)
    return isinstance(first, str | bytes | int | float | np.generic) or getattr(first, "shape", None) == ()


def _is_array(image: object) -> bool:
    from PIL.Image import Image  # noqa: PLC0415  slow

    return not isinstance(image, Image | str | Path | bytes)


class _Samples:
    """Images and labels of one part, whatever they come from."""

    def __init__(self, count: int) -> None:
        if not count:
            raise DataError("there are no samples in the data, or in a part of it; at least one is needed")
        self.count = count

    def image(self, number: int) -> Any:
        """Return one image, as it was given."""
        raise NotImplementedError

    def labels(self) -> AnyArray:
        """Return all labels, as `flat_labels` does."""
        raise NotImplementedError

    def class_names(self) -> list[str] | None:
        """Return what labels mean, where the data says it."""
        return None

    def holds_arrays(self) -> bool:
        """Tell whether images are arrays rather than pictures."""
        return _is_array(self.image(0))

    def images(self) -> Images:
        """Return the images, which must be arrays."""
        return _Stacked(self)

    def table(self) -> Rows | None:
        """Return the samples as rows of features, if that is what they are."""
        return None


class _Pair(_Samples):
    """(X, y)."""

    def __init__(self, images: Any, labels: Any) -> None:
        super().__init__(len(images))
        self._images = images
        self._labels = labels

    def image(self, number: int) -> Any:
        return self._images[number]

    def labels(self) -> AnyArray:
        return flat_labels(self._labels)

    def table(self) -> Rows | None:
        return pair_rows(self._images, self._labels)

    def images(self) -> Images:
        return ArrayImages(np.asarray(self._images)) if hasattr(self._images, "shape") else super().images()


class _Pairs(_Samples):
    """Something with [i] that returns (image, label), or a dict of them as Hugging Face's data sets do."""

    def __init__(self, samples: Any, columns: Columns | None) -> None:
        super().__init__(len(samples))
        self._samples = samples
        first = samples[0]
        self._keys: tuple[Any, Any]
        if isinstance(first, Mapping):
            self._keys = find_columns([str(key) for key in first], columns)
        elif isinstance(first, tuple | list) and len(first) == 2:
            self._keys = 0, 1
        else:
            raise DataError(f"sample 0 is {type(first).__name__}; each must be (image, label)")

    def image(self, number: int) -> Any:
        return self._samples[number][self._keys[0]]

    def labels(self) -> AnyArray:
        label = self._keys[1]
        if hasattr(self._samples, "features"):  # Hugging Face: a column without decoding any image
            return flat_labels(list(self._samples[label]))
        found = [self._samples[number][label] for number in range(self.count)]
        return flat_labels([value.item() if getattr(value, "shape", None) == () else value for value in found])

    def class_names(self) -> list[str] | None:
        features = getattr(self._samples, "features", None)
        feature = features.get(self._keys[1]) if isinstance(features, Mapping) else self._samples
        names = getattr(feature, "names" if isinstance(features, Mapping) else "classes", None)
        return [str(name) for name in names] if isinstance(names, list | tuple) else None


class _Stacked:
    """Images that are arrays of one shape each, as one array."""

    def __init__(self, samples: _Samples) -> None:
        self._samples = samples
        self._shape = self._one(0).shape
        self.shape: tuple[int, ...] = (samples.count, *self._shape)

    def read(self, numbers: Numbers) -> Block:
        """Return some."""
        return np.stack([self._one(int(number)) for number in numbers])

    def _one(self, number: int) -> Block:
        try:
            image: Block = np.asarray(self._samples.image(number))
        except ValueError as error:
            raise DataError(f"image {number} is not an array ({error})") from None
        except OSError as error:  # of the data set that was given
            raise DataError(f"image {number} cannot be read ({error})") from None
        if number and image.shape != self._shape:
            raise DataError(f"image {number} is {list(image.shape)}, image 0 is {list(self._shape)}: one size for all")
        return image


class _Objects:
    """The pictures of all parts, one after the other."""

    def __init__(self, parts: list[_Samples], counts: list[int]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *counts])
        for part, count in zip(parts, counts, strict=True):
            if part.count != count:
                raise DataError(f"{part.count} images but {count} labels: they must be as many")

    def __len__(self) -> int:
        return int(self._starts[-1])

    def name(self, number: int) -> str:
        """Return which sample it is, counted from 0."""
        part, place = self._place(number)
        return f"sample {place}" + f" of the {part_names(len(self._parts))[part]} part" * bool(part)

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Encoded]:
        """Yield the pictures with these numbers."""
        for number in numbers:
            part, place = self._place(int(number))
            try:
                image = self._parts[part].image(place)
            except OSError as error:
                raise DataError(f"{self.name(int(number))}: cannot be read ({error})") from error
            if _is_array(image):
                raise DataError(f"{self.name(int(number))} is {type(image).__name__}, where others are pictures")
            yield str(image) if isinstance(image, Path) else image

    def state(self) -> None:
        """Return nothing: changes of objects cannot be seen."""

    def _place(self, number: int) -> tuple[int, int]:
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        return part, int(number - self._starts[part])
