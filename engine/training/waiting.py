"""How long a run has been waiting for a better validation, and what has been done about it."""

import math
import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass
class Waiting:
    """Counts validations that are due by `validate_every`; those at the end of a session do not count.

    So a run that was stopped and resumed counts as one that was not. `best` is the best score, `stale` how many
    validations in a row were no better, `flat` how many of these came since the learning rate was last reduced, and
    `reductions` how often it was.
    """

    best: float | None = None
    stale: int = 0
    flat: int = 0
    reductions: int = 0

    def take(self, score: float, plateau: int) -> bool:
        """Count a validation; return whether the learning rate is reduced now: after `plateau` flat ones, 0: never."""
        if not math.isnan(score) and (self.best is None or score > self.best):
            self.best, self.stale, self.flat = score, 0, 0
            return False
        self.stale += 1
        self.flat += 1
        if not plateau or self.flat < plateau:
            return False
        self.flat = 0
        self.reductions += 1
        return True

    def asdict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `asdict` was taken from; ValueError if it was not."""
        try:
            best = None if stored["best"] is None else float(stored["best"])
            counts = [operator.index(stored[name]) for name in ("stale", "flat", "reductions")]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"these are not the counters of a wait: {dict(stored)!r:.80}") from error
        if min(counts) < 0:
            raise ValueError(f"these are not the counters of a wait: {dict(stored)!r:.80}")
        return cls(best, *counts)
