"""The optimizer and its numbers."""

from dataclasses import dataclass
from typing import TypedDict

from engine.nn.optimizers import OPTIMIZERS
from engine.settings.field import OPTIMIZER, setting

RATES = ", ".join(f"{name} {kind().lr:g}" for name, kind in OPTIMIZERS.items())
DECAYS = ", ".join(f"{name} {kind().weight_decay:g}" for name, kind in OPTIMIZERS.items() if kind().weight_decay)


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimizer and its numbers."""

    optimizer: str = setting(str, "adam", OPTIMIZER, "how gradients change the parameters", choices=tuple(OPTIMIZERS))
    lr: float | None = setting(float, None, OPTIMIZER, "learning rate", 0, above=True, optional=True, unset=RATES)
    weight_decay: float | None = setting(
        float, None, OPTIMIZER, "how strongly parameters are pulled to 0", 0, optional=True, unset=f"{DECAYS}, others 0"
    )
    clip_norm: float | None = setting(
        float,
        None,
        OPTIMIZER,
        "norm that a gradient is scaled down to if it is larger",
        0,
        above=True,
        optional=True,
        unset="no limit",
    )
    momentum: float = setting(
        float, 0.9, OPTIMIZER, "momentum, nesterov: fraction of the velocity that is kept", 0, 1, below=True
    )
    alpha: float = setting(float, 0.99, OPTIMIZER, "rmsprop: decay of the mean squared gradient", 0, 1, below=True)
    beta1: float = setting(float, 0.9, OPTIMIZER, "adam, adamw: decay of the mean gradient", 0, 1, below=True)
    beta2: float = setting(float, 0.999, OPTIMIZER, "adam, adamw: decay of the mean squared gradient", 0, 1, below=True)
    epsilon: float = setting(
        float, 1e-8, OPTIMIZER, "rmsprop, adam, adamw: added to the root of the mean square", 0, above=True
    )


class OptimizerDict(TypedDict, total=False):
    """The same as keyword arguments, besides the optimizer, which may also be an object."""

    lr: float | None
    weight_decay: float | None
    clip_norm: float | None
    momentum: float
    alpha: float
    beta1: float
    beta2: float
    epsilon: float
