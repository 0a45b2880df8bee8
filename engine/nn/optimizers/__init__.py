"""Optimizers, in order of increasing complexity: settings that are data, and the state that a run carries along.

`Adam(lr=0.001).start(size)` returns a state; `state.step(parameters, gradient, scale)` changes the parameters in place,
or with `out` writes those after the step there.
`scale` turns a summed gradient into the mean (1 / batch size) on the fly; the gradient itself is left alone.
"""

from dataclasses import fields

from engine.errors import SettingsError
from engine.nn.optimizers.adaptive import Adam, AdamW, RMSprop
from engine.nn.optimizers.base import PIECE, Optimizer, State
from engine.nn.optimizers.descent import SGD, Momentum, Nesterov

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}
NAMES = tuple(OPTIMIZERS)

__all__ = [
    "NAMES",
    "OPTIMIZERS",
    "PIECE",
    "SGD",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "State",
    "optimizer_from",
]


def optimizer_from(name: str, **settings: float) -> Optimizer:
    """Return the optimizer `name` with `settings`; SettingsError for an unknown name or setting, or a bad value."""
    if name not in OPTIMIZERS:
        raise SettingsError(f"no optimizer {name!r}; there are {', '.join(NAMES)}")
    known = [field.name for field in fields(OPTIMIZERS[name])]
    if unknown := sorted(settings.keys() - set(known)):
        raise SettingsError(f"{name} has no {unknown[0]!r}; its settings are {', '.join(known)}")
    return OPTIMIZERS[name](**settings)
