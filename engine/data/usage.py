"""Which part of a data set is used for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.data.dataset import Dataset


@dataclass(frozen=True)
class Usage:
    """How many samples are trained with, chosen by and left to test with; `unit` is what they are called.

    `test` is None where the only part besides `train` is chosen by: a figure of it is not that of a test. `held_out`:
    `validation` is a part of what the source has for training.
    """

    train: int
    validation: int
    test: int | None
    held_out: bool = False
    unit: str = "images"

    @classmethod
    def of(cls, data: Dataset, held_out: bool) -> Usage:
        """Return how the parts of `data` are used in training."""
        test = None if data.validation is None else len(data.test)
        return cls(len(data.train), len(data.validating), test, held_out, data.train.unit)

    def text(self) -> str:
        """Return it in words."""
        start = f"trains with {self.train:,} {self.unit}, chooses by "
        if self.test is None:
            return f"{start}the other part, {self.validation:,}; none is left to test with"
        if self.held_out:
            return (
                f"{start}{self.validation:,} held out of training; the other part, {self.test:,}, is left to test with"
            )
        return f"{start}the validation part, {self.validation:,}; the test part, {self.test:,}, is left"

    def counts(self) -> dict[str, Any]:
        """Return the numbers of samples by part, as plain data."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
