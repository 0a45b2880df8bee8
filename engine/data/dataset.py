"""What a data set is: images as bytes or rows of features, with labels of classes or with values to be predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.measure import Measure
from engine.data.normalisation import Inputs
from engine.errors import DataError

Targets = NDArray[np.int32] | NDArray[np.float32]
_BLOCK = 1 << 20  # values looked at a time


@dataclass(frozen=True, eq=False)
class Split:
    """Samples that belong together: what is seen of each, and what is to be said of it. N >= 1.

    `inputs` are images, uint8 [N, H, W, C], or features, float32 [N, D]; `targets` are labels, int32 [N], from 0, or
    values, float32 [N, T]. Raises DataError if types or shapes are not these, or if a float is nan or infinite.
    """

    inputs: Inputs
    targets: Targets

    def __post_init__(self) -> None:
        kinds = [(array.dtype.name, array.ndim) for array in (self.inputs, self.targets)]
        if kinds[0] not in (("uint8", 4), ("float32", 2)):
            raise DataError(
                f"images must be uint8 [N, H, W, C] and features float32 [N, D], not {self.inputs.dtype} "
                f"{list(self.inputs.shape)}"
            )
        if kinds[1] not in (("int32", 1), ("float32", 2)):
            raise DataError(
                f"labels must be int32 [N] and values float32 [N, T], not {self.targets.dtype} "
                f"{list(self.targets.shape)}"
            )
        if len(self.inputs) != len(self.targets):
            raise DataError(
                f"{len(self.inputs)} {self.unit} but {len(self.targets)} {self.asked}: they must be as many; "
                "check that both are of the same data set"
            )
        if self.inputs.size == 0 or self.targets.size == 0:
            what, array = (self.unit, self.inputs) if self.inputs.size == 0 else (self.asked, self.targets)
            nothing = "no pixels" if what == "images" else "nothing in them"
            raise DataError(f"{nothing}: the {what} have the shape {list(array.shape)}; at least one is needed")
        _check_finite(self.inputs, "feature")
        _check_finite(self.targets, "target")
        if not self.has_values and self.targets.min() < 0:
            at = int(self.targets.argmin())
            raise DataError(f"label {self.targets[at]} at index {at} is negative; labels count from 0")

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return f"Split({len(self)} {self.unit} of {'x'.join(map(str, self.inputs.shape[1:]))})"

    @property
    def has_features(self) -> bool:
        """Whether inputs are features rather than images."""
        return self.inputs.dtype == np.float32

    @property
    def has_values(self) -> bool:
        """Whether targets are values rather than labels."""
        return self.targets.dtype == np.float32

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
        if self.inputs.dtype == np.uint8:
            return self.inputs.view(np.uint8)
        raise DataError("these are rows of features, not images")

    @property
    def labels(self) -> NDArray[np.int32]:
        """The labels, int32 [N]; DataError if there are values instead."""
        if self.targets.dtype == np.int32:
            return self.targets.view(np.int32)
        raise DataError("these samples have values to be predicted, not classes")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set: `train` and `test` of the same kinds and shapes; label k means `classes[k]`.

    Where values are to be predicted there are no classes. `columns` are the names of the features, `targets` those of
    what is to be predicted; both are empty where they have none. `generated` says that the samples were made by a
    program rather than collected. Two more fields are not content, so the digest does not depend on them: `notes`,
    what a person should know of how the data was read, and `scaled`, whether pictures of other sizes were scaled to
    this one. Raises DataError if the two parts differ in shape, if a label has no class, or if a value to be predicted
    is the same throughout training.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    generated: bool = False
    notes: tuple[str, ...] = ()
    scaled: bool = False
    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for given in (self.train, self.test):
            if not isinstance(given, Split):
                raise DataError(
                    f"{self.name}: its parts must be Split, not {type(given).__name__}; load_data(((X, y), (Xt, yt))) "
                    "makes a data set of arrays"
                )
        self._check_parts()
        if self.train.has_values:
            self._check_values()
        else:
            self._check_labels()

    def _check_parts(self) -> None:
        train, test = self.train, self.test
        if train.unit != test.unit or train.asked != test.asked:
            raise DataError(
                f"{self.name}: training has {train.unit} with {train.asked}, but test {test.unit} with {test.asked}"
            )
        if train.inputs.shape[1:] != test.inputs.shape[1:]:
            axes = "features" if train.has_features else "H, W, C"
            what = "rows" if train.has_features else "images"
            raise DataError(
                f"{self.name}: training {what} are {list(train.inputs.shape[1:])} but test {what} "
                f"{list(test.inputs.shape[1:])} ({axes}); both must have the same size"
            )
        for what, names, wanted in (
            ("features", self.columns, self.shape[0] if train.has_features else 0),
            ("targets", self.targets, train.targets.shape[1] if train.has_values else 1),
        ):
            if names and len(names) != wanted:
                raise DataError(f"{self.name}: {len(names)} names for {wanted} {what}")

    def _check_labels(self) -> None:
        for part, labels in (("train", self.train.labels), ("test", self.test.labels)):
            at = int(labels.argmax())
            if labels[at] >= len(self.classes):
                raise DataError(
                    f"{self.name}: {part} label {labels[at]} at index {at} has no class: "
                    f"there are {len(self.classes)}, numbered from 0"
                )

    def _check_values(self) -> None:
        train, test = self.train.targets, self.test.targets
        if self.classes:
            raise DataError(f"{self.name}: {len(self.classes)} classes, but the targets are values; it can have none")
        if train.shape[1:] != test.shape[1:]:
            raise DataError(f"{self.name}: {train.shape[1]} targets in training, but {test.shape[1]} in the test part")
        for number in np.flatnonzero(train.min(axis=0) == train.max(axis=0)):
            called = self.targets[number] if self.targets else number
            raise DataError(
                f"{self.name}: target {called} is {train[0, number]:g} in every row that is trained with: there is "
                "nothing to learn; choose another target"
            )

    def __repr__(self) -> str:
        asked = f"{self.outputs} values" if self.train.has_values else f"{len(self.classes)} classes"
        return f"Dataset({self.name!r}, {asked}, train={self.train}, test={self.test})"

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C) of every image, or (D,), the number of features."""
        return self.train.inputs.shape[1:]

    @property
    def outputs(self) -> int:
        """How many numbers a network must return: one for each class, or one for each value."""
        return self.train.targets.shape[1] if self.train.has_values else len(self.classes)

    @property
    def measure(self) -> Measure:
        """What says how well a network does on it."""
        return Measure.R2 if self.train.has_values else Measure.PERCENT


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
