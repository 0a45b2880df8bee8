"""How well a network does on a test set."""

from dataclasses import dataclass
from typing import Any


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

    def asdict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"correct": self.correct, "total": self.total, "percent": self.percent, "loss": self.loss}
