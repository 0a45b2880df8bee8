"""How a network is trained."""

from dataclasses import dataclass
from typing import TypedDict

from engine.nn.optimizers import OPTIMIZERS
from engine.settings.field import TRAINING, setting

OWN_RATES = ", ".join(f"{name} {kind().lr:g}" for name, kind in OPTIMIZERS.items())


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained."""

    batch_size: int = setting(int, 64, TRAINING, "images per batch", 1, 1 << 24)
    microbatch: int = setting(int, 16, TRAINING, "images per micro-batch, which is never divided", 1, 4096)
    optimizer: str = setting(str, "adam", TRAINING, "how gradients change the parameters", choices=tuple(OPTIMIZERS))
    lr: float | None = setting(float, None, TRAINING, "learning rate", 0, above=True, optional=True, unset=OWN_RATES)
    momentum: float = setting(float, 0.9, TRAINING, "momentum: fraction of the velocity that is kept", 0, 1, below=True)
    beta1: float = setting(float, 0.9, TRAINING, "adam: decay of the mean gradient", 0, 1, below=True)
    beta2: float = setting(float, 0.999, TRAINING, "adam: decay of the mean squared gradient", 0, 1, below=True)
    epsilon: float = setting(float, 1e-8, TRAINING, "adam: added to the root of the mean square", 0, above=True)
    dropout: float = setting(
        float, 0.0, TRAINING, "probability of dropping a value before each dense activation", 0, 1, below=True
    )
    seed: int = setting(int, 3, TRAINING, "seed of initialisation, order, dropout and augmentation", 0, (1 << 63) - 1)


class TrainingDict(TypedDict, total=False):
    """The same as keyword arguments."""

    batch_size: int
    microbatch: int
    lr: float | None
    momentum: float
    beta1: float
    beta2: float
    epsilon: float
    dropout: float
    seed: int
