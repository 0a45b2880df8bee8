"""How a network is trained: batches, the loss, and what is random."""

from dataclasses import dataclass
from typing import TypedDict

from engine.settings.field import TRAINING, setting

LARGE_BATCH = 256  # images, of which micro-batches of 16 still feed 16 workers


def default_microbatch(batch_size: int) -> int:
    """Return how many images a micro-batch has by default; processors have no say, as it decides the bits."""
    return 16 if batch_size >= LARGE_BATCH else 8


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained: batches, the loss, and what is random."""

    batch_size: int = setting(int, 64, TRAINING, "images per batch", 1, 1 << 24)
    microbatch: int | None = setting(
        int,
        None,
        TRAINING,
        "images per micro-batch, which is never divided",
        1,
        4096,
        optional=True,
        unset=f"8, or 16 for batches of {LARGE_BATCH} or more",
    )
    label_smoothing: float = setting(
        float, 0.0, TRAINING, "part of each label that is spread over all classes", 0, 1, below=True
    )
    class_weights: str | None = setting(
        str,
        None,
        TRAINING,
        "what the loss of each class counts: balanced, or a number a class, such as 1,1,2.5",
        optional=True,
        unset="1 each",
    )
    freeze: str | None = setting(
        str, None, TRAINING, "layers that stay as they are: names or patterns, such as c1,c2 or 'c*'", optional=True
    )
    dropout: float = setting(
        float, 0.0, TRAINING, "probability of dropping a value before each dense activation", 0, 1, below=True
    )
    seed: int = setting(int, 3, TRAINING, "seed of initialisation, order, dropout and augmentation", 0, (1 << 63) - 1)


class TrainingDict(TypedDict, total=False):
    """The same as keyword arguments."""

    batch_size: int
    microbatch: int | None
    label_smoothing: float
    class_weights: str | None
    freeze: str | None
    dropout: float
    seed: int
