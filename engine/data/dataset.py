"""What a data set is: parts of the same kind, for training, for choosing and for testing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from engine.data.held_out import VALIDATION, hold_out
from engine.data.measure import Measure
from engine.data.split import Split
from engine.errors import DataError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set: parts of the same kinds and shapes; label k means `classes[k]`.

    `train` is learnt from, `validation` is chosen by (which network is the best, when to stop), and `test` is for the
    network that was chosen, once. Where there is no `validation`, `test` is chosen by, too.

    Where values are to be predicted there are no classes. `columns` are the names of the features, `targets` those of
    what is to be predicted; both are empty where they have none. `generated` says that the samples were made by a
    program rather than collected. Two more fields are not content, so the digest does not depend on them: `notes`,
    what a person should know of how the data was read, and `scaled`, whether pictures of other sizes were scaled to
    this one. Raises DataError if the parts differ in shape, if a label has no class, or if a value to be predicted
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
    validation: Split | None = None

    def __post_init__(self) -> None:
        for given in self.parts().values():
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

    def parts(self) -> dict[str, Split]:
        """Return the parts that there are, by name, training first and test last."""
        chosen_by = {} if self.validation is None else {"validation": self.validation}
        return {"train": self.train, **chosen_by, "test": self.test}

    @property
    def validating(self) -> Split:
        """The part that is chosen by: `validation`, or where there is none `test`."""
        return self.test if self.validation is None else self.validation

    def part(self, name: str) -> Split:
        """Return the part of this name, `validating` as "validation"; DataError if it is not one of PARTS."""
        if name not in PARTS:
            raise DataError(f"part must be one of {', '.join(PARTS)}, got {name!r:.60}")
        return self.validating if name == "validation" else self.parts()[name]

    def hold_out(self, fraction: float) -> Dataset:
        """Return the data set with this part of `train` as `validation`, so that `test` is not chosen by; 0: as it is.

        Which samples that are is fixed: a part of each class, where there are classes. No input is copied. Raises
        DataError for a fraction of 1 or more, if there is a validation part already, or if nothing can be held out.
        """
        if not (isinstance(fraction, Real) and 0 <= fraction < 1):
            raise DataError(f"the fraction to be held out must be at least 0 and below 1, got {fraction!r:.60}")
        if not fraction:
            return self
        if self.validation is not None:
            raise DataError(
                f"{self.name} has a validation part of its own, {len(self.validation):,} {self.train.unit}; "
                "leave --validation out"
            )
        train = self.train
        held = hold_out(np.zeros(len(train), np.int32) if train.has_values else train.labels, fraction, VALIDATION)
        rest, chosen = np.flatnonzero(~held), np.flatnonzero(held)
        return replace(self, train=train.only(rest), validation=train.only(chosen))

    def _check_parts(self) -> None:
        train = self.train
        for name, part in self.parts().items():
            if train.unit != part.unit or train.asked != part.asked:
                raise DataError(
                    f"{self.name}: training has {train.unit} with {train.asked}, "
                    f"but {name} {part.unit} with {part.asked}"
                )
            if train.shape != part.shape:
                axes = "features" if train.has_features else "H, W, C"
                raise DataError(
                    f"{self.name}: training {train.unit} are {list(train.shape)} but {name} {part.unit} "
                    f"{list(part.shape)} ({axes}); both must have the same size"
                )
        for what, names, wanted in (
            ("features", self.columns, self.shape[0] if train.has_features else 0),
            ("targets", self.targets, train.targets.shape[1] if train.has_values else 1),
        ):
            if names and len(names) != wanted:
                raise DataError(f"{self.name}: {len(names)} names for {wanted} {what}")

    def _check_labels(self) -> None:
        for name, part in self.parts().items():
            labels = part.labels
            at = int(labels.argmax())
            if labels[at] >= len(self.classes):
                raise DataError(
                    f"{self.name}: {name} label {labels[at]} at index {at} has no class: "
                    f"there are {len(self.classes)}, numbered from 0"
                )

    def _check_values(self) -> None:
        train = self.train.targets
        if self.classes:
            raise DataError(f"{self.name}: {len(self.classes)} classes, but the targets are values; it can have none")
        for name, part in self.parts().items():
            if train.shape[1:] != part.targets.shape[1:]:
                raise DataError(
                    f"{self.name}: {train.shape[1]} targets in training, but {part.targets.shape[1]} in the {name} part"
                )
        for number in np.flatnonzero(train.min(axis=0) == train.max(axis=0)):
            called = self.targets[number] if self.targets else number
            raise DataError(
                f"{self.name}: target {called} is {train[0, number]:g} in every row that is trained with, once "
                "rounded to float32: there is nothing to learn; choose another target, or subtract an offset"
            )

    def __repr__(self) -> str:
        asked = f"{self.outputs} values" if self.train.has_values else f"{len(self.classes)} classes"
        parts = ", ".join(f"{name}={part}" for name, part in self.parts().items())
        return f"Dataset({self.name!r}, {asked}, {parts})"

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C) of every image, or (D,), the number of features."""
        return self.train.shape

    @property
    def outputs(self) -> int:
        """How many numbers a network must return: one for each class, or one for each value."""
        return self.train.targets.shape[1] if self.train.has_values else len(self.classes)

    @property
    def measure(self) -> Measure:
        """What says how well a network does on it."""
        return Measure.R2 if self.train.has_values else Measure.PERCENT


def made_of(name: str, classes: tuple[str, ...], parts: Mapping[str, Split], **fields: Any) -> Dataset:
    """Return the data set of the parts that there are, by name; `fields` are the others of its own."""
    return Dataset(name, classes, parts["train"], parts["test"], validation=parts.get("validation"), **fields)
