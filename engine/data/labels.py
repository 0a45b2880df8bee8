"""Labels as people have them, words or numbers with gaps, as classes numbered from 0."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.natural import natural
from engine.data.parts import part_names
from engine.errors import DataError

MOST_CLASSES = 1 << 16
MOST_LABEL = float(1 << 63)
AnyArray = NDArray[np.generic]


def flat_labels(labels: object, what: str = "labels") -> AnyArray:
    """Return labels as whole numbers or words [N], from anything numpy understands; [N, 1] will do.

    Raises DataError if they are neither, with the first that is not.
    """
    try:
        array = np.asarray(labels)
    except ValueError:
        raise DataError(f"{what} must be one whole number or word for each picture, not lists of several") from None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = "; of one column for each class, numpy.argmax(y, axis=1) makes labels" if array.ndim == 2 else ""
        raise DataError(f"{what} must be one for each picture, [N], not {list(array.shape)}{hint}")
    if array.dtype.kind == "O":
        array = _of_objects(array, what)
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array.astype(np.bytes_), "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{what} are bytes, but not in UTF-8; give them as words") from None
    if array.dtype.kind == "f":
        wrong = np.flatnonzero(~(np.isfinite(array) & (array == np.rint(array)) & (np.abs(array) < MOST_LABEL)))
        if len(wrong):
            raise DataError(f"{what}: {array[wrong[0]]} at index {wrong[0]} is not a class: whole numbers or words are")
        array = array.astype(np.int64)
    if array.dtype.kind not in "biuU":
        raise DataError(f"{what} are {array.dtype}; they must be whole numbers or words")
    return array


def of_one_type(parts: Sequence[AnyArray]) -> list[AnyArray]:
    """Return the labels of several parts in one type: numpy would make floats of int64 and uint64 together."""
    if len({part.dtype for part in parts}) == 1 or any(part.dtype.kind not in "biu" for part in parts):
        return list(parts)
    if any(part.size and int(part.max()) > np.iinfo(np.int64).max for part in parts):
        raise DataError("labels are too large; give them as words")
    return [part.astype(np.int64) for part in parts]


def of_texts(texts: Sequence[str]) -> AnyArray:
    """Return labels written in a file: whole numbers if all are, as they are usually written, or else words."""
    if all(re.fullmatch("0|-?[1-9][0-9]{0,17}", text) for text in texts):
        return np.array([int(text) for text in texts], np.int64)
    return np.array(texts, np.str_)


def numbered(
    parts: Sequence[AnyArray], classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], list[NDArray[np.int32]], list[str]]:
    """Return the names of the classes, the labels of each part (training first) as their numbers, and notes.

    Of three parts the test part is left out if its labels are kept secret: all the same, and not one of training.

    Without `classes` they are the labels that occur: numbers in their order, words in natural order. With them, whole
    numbers count in `classes` from 0, and words are among them. DataError if a label is not a class, or not trained.
    """
    parts, notes = _public(parts)
    words = {part.dtype.kind == "U" for part in parts}
    if len(words) > 1:
        raise DataError("some labels are words, others numbers; both parts must have the same")
    if classes is not None:
        return *_among(parts, tuple(str(name) for name in classes), words == {True}), notes
    values = np.unique(parts[0])
    if words == {True}:
        values = np.array(sorted(values.tolist(), key=lambda word: (natural(word), word)))
    if len(values) > MOST_CLASSES:
        raise DataError(f"{len(values):,} different labels, where {MOST_CLASSES:,} classes are the most")
    numbers = [_places(values, part, name) for part, name in zip(parts, part_names(len(parts)), strict=True)]
    gaps = words == {False} and values.tolist() != list(range(len(values)))
    shown = ", ".join(str(value) for value in values[:3]) + (", ..." if len(values) > 3 else "")
    notes += [f"classes are the labels that occur: {shown}"] if gaps else []
    return tuple(str(v) for v in values), numbers, notes


def _public(parts: Sequence[AnyArray]) -> tuple[Sequence[AnyArray], list[str]]:
    """Return the parts, but of three not the last if its labels are kept secret, and a note if so."""
    if len(parts) < 3 or len(np.unique(parts[2])) > 1 or parts[2][0] in parts[0]:
        return parts, []
    return parts[:2], [f"not read: test, where every label is {parts[2][0]}, with which nothing is trained"]


def _of_objects(array: AnyArray, what: str) -> AnyArray:
    kind = str if isinstance(array[0] if len(array) else "", str) else (int, np.integer)
    for index, value in enumerate(array.tolist()):
        if not isinstance(value, kind):
            raise DataError(f"{what}: {value!r:.40} at index {index} is not a class: all must be words, or all numbers")
    try:
        return array.astype(np.str_ if kind is str else np.int64)
    except OverflowError:
        raise DataError(f"{what} are too large; give them as words") from None


def _places(values: AnyArray, labels: AnyArray, part: str) -> NDArray[np.int32]:
    """Return where each label of a part stands in `values`; DataError if one does not."""
    order = np.argsort(values)
    places = np.searchsorted(values, labels, sorter=order).clip(max=len(values) - 1)
    found: NDArray[np.int64] = order[places]
    unknown = np.flatnonzero(values[found] != labels)
    if len(unknown):
        raise DataError(
            f"label {labels[unknown[0]]} at index {unknown[0]} of the {part} part does not occur in training"
        )
    return found.astype(np.int32)


def _among(
    parts: Sequence[AnyArray], classes: tuple[str, ...], words: bool
) -> tuple[tuple[str, ...], list[NDArray[np.int32]]]:
    if len(set(classes)) < len(classes):
        raise DataError("two classes have the same name; each needs its own")
    numbers = []
    for part, name in zip(parts, part_names(len(parts)), strict=True):
        known = np.isin(part, np.array(classes) if words else np.arange(len(classes)))
        wrong = np.flatnonzero(~known)
        if len(wrong):
            allowed = f"{', '.join(classes[:3])}..." if words else f"0 to {len(classes) - 1}"
            raise DataError(f"label {part[wrong[0]]} at index {wrong[0]} is not one of the classes, {allowed}")
        numbers.append(_places(np.array(classes), part, name) if words else part.astype(np.int32))
    return classes, numbers
