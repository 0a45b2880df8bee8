"""Features and targets in arrays, lists or data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.data.labels import AnyArray, flat_labels, of_one_type
from engine.data.parts import part_names
from engine.data.rows import Rows
from engine.errors import DataError


def pair_rows(features: Any, targets: Any) -> Rows | None:
    """Return (X, y) as rows; None if X is not [N, D].

    Bytes [N, D] are refused by those who read images: they are most likely images that were made flat.
    """
    if hasattr(features, "shape"):
        if len(features.shape) != 2 or getattr(features, "dtype", None) == np.uint8:
            return None
    elif not _are_numbers(features):
        return None
    columns = tuple(str(name) for name in getattr(features, "columns", ()))
    array = _numbers(features, columns)
    return Rows(array, _targets(targets), (len(array),), columns, _names(targets))


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the parts as rows; DataError if they do not fit each other."""
    first, *rest = parts
    for other in rest:
        if other.features.shape[1:] != first.features.shape[1:] or other.columns != first.columns:
            raise DataError(
                f"training has {first.features.shape[1]} features but the test part {other.features.shape[1]}, or they "
                "have other names; both must have the same"
            )
        if other.targets.shape[1:] != first.targets.shape[1:]:
            raise DataError(
                f"training targets are {list(first.targets.shape)}, those to test {list(other.targets.shape)}"
            )
        kinds = {first.targets.dtype.kind, other.targets.dtype.kind}
        if len(kinds) > 1 and "U" in kinds:
            raise DataError("some targets are words, others numbers; both parts must have the same")
        if len(kinds) > 1 and "f" in kinds:
            raise DataError("some targets are floats, others whole numbers; both parts must have the same")
    for part in parts:
        if len(part.features) != len(part.targets):
            raise DataError(f"{len(part.features)} rows but {len(part.targets)} targets: they must be as many")
    if not rest:
        return first
    features = np.concatenate([part.features for part in parts])
    targets = np.concatenate(of_one_type([part.targets for part in parts]))

    counts = tuple(len(part.features) for part in parts)
    starts = np.cumsum([0, *counts])

    def row(number: int) -> str:
        part = int(np.searchsorted(starts, number, side="right")) - 1
        return f"row {number - starts[part]}" + f" of the {part_names(len(parts))[part]} part" * bool(part)

    return Rows(features, targets, counts, first.columns, first.target_names, row=row)


def _are_numbers(rows: Any) -> bool:
    """Tell whether something is a list of lists of numbers."""
    if not isinstance(rows, list | tuple) or not rows or not isinstance(rows[0], list | tuple):
        return False
    return all(isinstance(value, int | float | np.number) for value in rows[0])


def _numbers(features: Any, columns: tuple[str, ...]) -> AnyArray:
    try:
        array: AnyArray = np.asarray(features)
    except ValueError:
        lengths = sorted({len(row) if hasattr(row, "__len__") else 1 for row in features})
        raise DataError(f"rows of features differ in length, from {lengths[0]} to {lengths[-1]}") from None
    if array.dtype.kind in "OUS":
        array = of_objects(array, columns)
    if array.dtype.kind not in "biuf":
        raise DataError(f"features are {array.dtype}; they must be numbers")
    return array


def of_objects(array: AnyArray, columns: tuple[str, ...]) -> AnyArray:
    """Return an array of Python objects as numbers; DataError names the first that is none, None being missing."""
    numbers = np.empty(array.shape, np.float64)
    for (row, column), value in np.ndenumerate(array):
        try:
            numbers[row, column] = np.nan if value is None else _float(value)
        except (TypeError, ValueError, OverflowError):
            called = columns[column] if columns else column
            raise DataError(
                f"row {row}, column {called} is {value!r:.60}, not a number: features are numbers only"
            ) from None
    return numbers


def _float(value: Any) -> float:
    if isinstance(value, str | bytes) or not np.isscalar(value):
        raise TypeError
    return float(value)  # type: ignore[arg-type]


def _targets(targets: Any) -> AnyArray:
    try:
        array: AnyArray = np.asarray(targets)
    except ValueError:
        raise DataError("targets differ in length; they must be [N], or floats [N, T]") from None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise DataError(f"targets must be [N], or floats [N, T], not {list(array.shape)}")
    return array if array.dtype.kind == "f" else flat_labels(array, "targets")


def _names(targets: Any) -> tuple[str, ...]:
    """Return the names of the columns of a data frame, or of a series."""
    names = getattr(targets, "columns", None)
    if names is not None:
        return tuple(str(name) for name in names)
    name = getattr(targets, "name", None)
    return (name,) if isinstance(name, str) else ()
