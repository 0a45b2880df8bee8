"""How well a network does on a part of a data set."""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.compute.sums import Sums
from engine.compute.tally import Tally
from engine.data import Measure, Normalisation, Split
from engine.data.normalisation import moments
from engine.nn.own.metrics import measured


@dataclass(frozen=True)
class Validation:
    """A part of a data set, evaluated with the parameters after `step`. `loss` is the mean of a sample.

    Where classes are named, `correct` of `total` are right. Where values are predicted, `r2` is R², nan if the test
    set's own values are all the same; then `correct` is 0. `tally` has the answers by class, None where there are too
    many classes, and in a validation that was read from a checkpoint; with it come `metrics` of a person's own.
    """

    step: int
    correct: int
    total: int
    loss: float
    r2: float | None = None
    tally: Tally | None = field(default=None, compare=False, repr=False)
    metrics: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)

    @property
    def measure(self) -> Measure:
        """What says how good it is."""
        return Measure.PERCENT if self.r2 is None else Measure.R2

    @property
    def percent(self) -> float:
        """Percent correct; nan where values are predicted."""
        return 100 * self.correct / self.total if self.r2 is None else math.nan

    @property
    def score(self) -> float:
        """The figure that says how good it is, the more the better: percent correct, or R²."""
        return self.percent if self.r2 is None else self.r2

    def text(self) -> str:
        """Return the score in words, and the metrics."""
        return ", ".join([self.measure.text(self.score), *(f"{name} {x:.6g}" for name, x in self.metrics.items())])

    def beats(self, other: "Validation | None") -> bool:
        """Return whether this one is better than an earlier one; of equal ones the first stays.

        One whose score or loss is nan beats none.
        """
        if math.isnan(self.score) or math.isnan(self.loss):
            return False
        return other is None or self.score > other.score

    def asdict(self) -> dict[str, Any]:
        """Return plain data; None for an R² that is nan."""
        if self.r2 is None:
            counts = {"correct": self.correct, "total": self.total, "percent": self.percent, "loss": self.loss}
            known = {name: None if math.isnan(x) else x for name, x in self.metrics.items()}
            return counts | ({"metrics": known} if known else {})
        return {"total": self.total, "r2": None if math.isnan(self.r2) else self.r2, "loss": self.loss}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return the validation that `asdict`, and its step, were taken from; ValueError if they were not."""
        try:
            counts = {"correct": 0} | dict(stored) if "r2" in stored else stored
            step, correct, total = (operator.index(counts[name]) for name in ("step", "correct", "total"))
            loss, r2 = float(stored["loss"]), None
            if "r2" in stored:
                r2 = math.nan if stored["r2"] is None else float(stored["r2"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a validation of {dict(stored)!r:.80}") from error
        if not 0 <= correct <= total or total == 0:
            raise ValueError(f"a validation with {correct} of {total} correct")
        return cls(step, correct, total, loss, r2)


@dataclass(frozen=True)
class Scorer:
    """Turns sums over a part of a data set into a validation.

    R² is 1 - SSE / SST over all values, each target in units of its training deviation. SST is about the part's own
    means; `spread` is SST as a mean loss: that of a network which predicts these means. None where classes are named.
    """

    samples: int
    spread: float | None = None

    @classmethod
    def of(cls, test: Split, values: Normalisation | None) -> Self:
        """Measure the targets of `test`, of which `values` is the normalisation if they are values."""
        if values is None:
            return cls(len(test))
        targets: NDArray[np.float32] = test.targets.view(np.float32)
        variances = [moments(targets[:, number])[1] for number in range(targets.shape[1])]
        shares = [variance / (d * d) for variance, d in zip(variances, values.deviation, strict=True)]
        return cls(len(test), math.fsum(shares) / len(shares))

    def validation(self, step: int, sums: Sums) -> Validation:
        """Return what `sums` over the whole part with the parameters after `step` say."""
        loss = sums.loss / self.samples
        if self.spread is None:
            metrics = measured(sums.tally.confusion) if sums.tally else {}
            return Validation(step, sums.correct, self.samples, loss, tally=sums.tally, metrics=metrics)
        return Validation(step, 0, self.samples, loss, 1 - loss / self.spread if self.spread else math.nan)
