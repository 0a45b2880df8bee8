"""How far a run is."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from engine.compute.validation import Validation

RECENT = 100  # batches that `train_loss` is the mean of


@dataclass
class Progress:
    """How far a run is. `elapsed` and `cpu` (seconds) count earlier sittings of a resumed run, too."""

    step: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0
    best_percent: float | None = None
    validation: Validation | None = None
    saved: Path | None = None
    taken: int = 0  # steps of this sitting
    images: int = 0
    seconds: float = 0.0  # in training steps, without validations and checkpoints
    optimizer_seconds: float = 0.0
    recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def train_loss(self) -> float | None:
        """Mean loss of a sample over the recent batches."""
        samples = sum(n for _, n in self.recent)
        return sum(loss for loss, _ in self.recent) / samples if samples else None
