"""How well a network does on a test set."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Validation:
    """The test set evaluated with the parameters after `step`. `loss` is the mean of a sample."""

    step: int
    correct: int
    total: int
    loss: float

    @property
    def percent(self) -> float:
        """Percent correct."""
        return 100 * self.correct / self.total

    def beats(self, other: "Validation | None") -> bool:
        """Return whether this one is better than an earlier one; of equal ones the first stays the best."""
        return other is None or self.percent > other.percent

    def asdict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"correct": self.correct, "total": self.total, "percent": self.percent, "loss": self.loss}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return the validation that `asdict`, and its step, were taken from; ValueError if they were not."""
        try:
            step, correct, total = (operator.index(stored[name]) for name in ("step", "correct", "total"))
            loss = float(stored["loss"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a validation of {dict(stored)!r:.80}") from error
        if not 0 <= correct <= total or total == 0:
            raise ValueError(f"a validation with {correct} of {total} correct")
        return cls(step, correct, total, loss)
