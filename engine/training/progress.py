"""How far a run is."""

import math
from collections import deque
from dataclasses import dataclass, field

from engine.compute.validation import Validation
from engine.data import Measure
from engine.training.waiting import Waiting

RECENT = 100  # batches that `train_loss` is the mean of


@dataclass
class Progress:
    """How far a run is. `elapsed` and `cpu` (seconds) count from its beginning, in all processes that it was in.

    The fields below `waiting` count from when it began or was resumed in this process; `seconds` are those spent in
    training steps, without validations and checkpoints. `best` is the best validation whose parameters are in a
    checkpoint, `best_score` the best score of all, `waiting` how long there was no better one.
    """

    steps_per_epoch: int
    step: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0
    best_score: float | None = None
    validation: Validation | None = None
    best: Validation | None = None
    waiting: Waiting = field(default_factory=Waiting)
    taken: int = 0
    images: int = 0
    seconds: float = 0.0
    optimizer_seconds: float = 0.0
    recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RECENT))  # loss and samples

    @property
    def epoch(self) -> float:
        """Epochs done, with fraction."""
        return self.step / self.steps_per_epoch

    @property
    def best_percent(self) -> float | None:
        """The best score, if it is percent correct."""
        return self._best_as(Measure.PERCENT)

    @property
    def best_r2(self) -> float | None:
        """The best score, if it is R²."""
        return self._best_as(Measure.R2)

    def _best_as(self, measure: Measure) -> float | None:
        found = self.validation.measure if self.validation else Measure.PERCENT  # as in checkpoints of earlier versions
        return self.best_score if found is measure else None

    @property
    def is_validated(self) -> bool:
        """Whether the newest step has been validated."""
        return self.validation is not None and self.validation.step == self.step

    @property
    def train_loss(self) -> float | None:
        """Mean loss of a sample over the recent batches."""
        samples = sum(n for _, n in self.recent)
        return sum(loss for loss, _ in self.recent) / samples if samples else None

    def due(self, every: int) -> bool:
        """Return whether what happens every so many steps (0: once an epoch) is due after the newest one."""
        return self.step % (every or self.steps_per_epoch) == 0

    def validated(self, validation: Validation) -> None:
        """Keep the newest validation, and the best; an R² that is nan is none."""
        self.validation = validation
        if not math.isnan(validation.score) and not math.isnan(validation.loss):
            self.best_score = validation.score if self.best_score is None else max(self.best_score, validation.score)
        if validation.beats(self.best):
            self.best = validation
