"""A part of a data set: images as bytes or rows of features, with labels of classes or with values to be predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engine.data.normalisation import Inputs, Normalisation
from engine.errors import DataError

Targets = NDArray[np.int32] | NDArray[np.float32]
Numbers = NDArray[np.int64]
Array = TypeVar("Array", bound=NDArray[Any])
_BLOCK = 1 << 20  # values looked at a time


class Split:
    """Samples that belong together: what is seen of each, and what is to be said of it. N >= 1.

    `inputs` are images, uint8 [N, H, W, C], or features, float32 [N, D]; `targets` are labels, int32 [N], from 0, or
    values, float32 [N, T]. Raises DataError if types or shapes are not these, or if a float is nan or infinite.
    """

    def __init__(self, inputs: Inputs, targets: Targets) -> None:
        for name, array in (("inputs", inputs), ("targets", targets)):
            if not isinstance(array, np.ndarray):
                raise DataError(f"the {name} of a Split must be an array of numpy, got {array!r:.60}")
        self._inputs = _native(inputs)
        self._targets = _native(targets)
        self._rows: Numbers | None = None  # of `_inputs`, where this is only some of them
        self._check()

    def only(self, rows: Numbers) -> Split:
        """Return the samples with these numbers, at least one, without a copy of their inputs: they may be mapped."""
        some = object.__new__(Split)
        some._inputs = self._inputs
        some._targets = self._targets[rows]
        some._rows = rows if self._rows is None else self._rows[rows]
        return some

    def _check(self) -> None:
        inputs, targets = self._inputs, self._targets
        kinds = [(array.dtype.name, array.ndim) for array in (inputs, targets)]
        if kinds[0] not in (("uint8", 4), ("float32", 2)):
            raise DataError(
                f"images must be uint8 [N, H, W, C] and features float32 [N, D], not {inputs.dtype} "
                f"{list(inputs.shape)}"
            )
        if kinds[1] not in (("int32", 1), ("float32", 2)):
            raise DataError(
                f"labels must be int32 [N] and values float32 [N, T], not {targets.dtype} {list(targets.shape)}"
            )
        if len(inputs) != len(targets):
            raise DataError(
                f"{len(inputs)} {self.unit} but {len(targets)} {self.asked}: they must be as many; "
                "check that both are of the same data set"
            )
        if inputs.size == 0 or targets.size == 0:
            what, array = (self.unit, inputs) if inputs.size == 0 else (self.asked, targets)
            nothing = "no pixels" if what == "images" else "nothing in them"
            raise DataError(f"{nothing}: the {what} have the shape {list(array.shape)}; at least one is needed")
        _check_finite(inputs, "feature")
        _check_finite(targets, "target")
        if not self.has_values and targets.min() < 0:
            at = int(targets.argmin())
            raise DataError(f"label {targets[at]} at index {at} is negative; labels count from 0")

    def __len__(self) -> int:
        return len(self._targets)

    def __repr__(self) -> str:
        return f"Split({len(self)} {self.unit} of {'x'.join(map(str, self.shape))})"

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C) of every image, or (D,), the number of features."""
        return self._inputs.shape[1:]

    @property
    def inputs(self) -> Inputs:
        """All that is seen of the samples; a copy where they are some of a larger part."""
        return self._inputs if self._rows is None else self._inputs[self._rows]

    @property
    def targets(self) -> Targets:
        """What is to be said of the samples."""
        return self._targets

    def take(self, chosen: slice | Numbers) -> tuple[Inputs, Targets]:
        """Return inputs and targets of some samples; no others are read."""
        rows = chosen if self._rows is None else self._rows[chosen]
        return self._inputs[rows], self._targets[chosen]

    def normalisation(self) -> Normalisation:
        """Measure the inputs."""
        return Normalisation.of(self._inputs, self._rows)

    def target_normalisation(self) -> Normalisation | None:
        """Measure the targets; None where they are labels."""
        return Normalisation.of(self.targets.view(np.float32)) if self.has_values else None

    @property
    def has_features(self) -> bool:
        """Whether inputs are features rather than images."""
        return self._inputs.dtype == np.float32

    @property
    def has_values(self) -> bool:
        """Whether targets are values rather than labels."""
        return self._targets.dtype == np.float32

    @property
    def unit(self) -> str:
        """What the samples are called."""
        return "rows" if self.has_features else "images"

    @property
    def asked(self) -> str:
        """What the targets are called."""
        return "values" if self.has_values else "labels"

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images, uint8 [N, H, W, C]; DataError if there are features instead."""
        if self.has_features:
            raise DataError("these are rows of features, not images")
        return self.inputs.view(np.uint8)

    @property
    def labels(self) -> NDArray[np.int32]:
        """The labels, int32 [N]; DataError if there are values instead."""
        if self.has_values:
            raise DataError("these samples have values to be predicted, not classes")
        return self._targets.view(np.int32)


def _native(array: Array) -> Array:
    """Return an array whose bytes are in this machine's order, as all that is computed here takes them to be."""
    return array if array.dtype.isnative else cast(Array, array.astype(array.dtype.newbyteorder("=")))


def _check_finite(array: Inputs | Targets, what: str) -> None:
    """Raise DataError with row and column, from 0, of the first float that is nan or infinite."""
    if array.dtype != np.float32:
        return
    is_finite: Callable[..., NDArray[np.bool_]] = np.isfinite
    rows = max(1, _BLOCK // array.shape[1])
    for start in range(0, len(array), rows):
        good = is_finite(array[start : start + rows])
        if not good.all():
            row, column = (int(place[0]) for place in np.nonzero(~good))
            raise DataError(
                f"{what} {column} of row {start + row} is {array[start + row, column]}: all must be finite numbers "
                f"below 3.4e38 (rows and {what}s count from 0); fill or remove it"
            )
