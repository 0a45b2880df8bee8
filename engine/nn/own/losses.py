"""Losses that a person wrote: functions of outputs and targets, by their names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError, OwnCodeError
from engine.nn.loss_options import LOSSES, SQUARED_ERROR
from engine.nn.own.blame import blaming, line_of

Numbers = NDArray[Any]
Function = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True)
class OwnLoss:
    """`function` of outputs [N, K] and targets returns losses [N] and the gradient of their sum [N, K].

    Targets are labels, int32 [N], or with `values` floats [N, K].
    """

    function: Function
    values: bool

    @property
    def name(self) -> str:
        """What a model calls it."""
        return self.function.__name__

    def __call__(self, outputs: Numbers, targets: Numbers) -> tuple[Numbers, Numbers]:
        """Return losses and gradient; OwnCodeError if the function fails or returns something else."""
        with blaming(f"loss {self.name}"):
            result = self.function(outputs, targets)
        shapes = (len(outputs),), outputs.shape
        if not isinstance(result, tuple) or tuple(np.shape(part) for part in result) != shapes:
            got = [np.shape(part) for part in result] if isinstance(result, tuple) else type(result).__name__
            raise OwnCodeError(
                f"{line_of(self.function)}loss {self.name} must return losses {shapes[0]} and a gradient {shapes[1]}, "
                f"got {got}"
            )
        return result


OWN_LOSSES: dict[str, OwnLoss] = {}


def learns_values(loss: str) -> bool:
    """Tell whether a loss is for values that are to be predicted."""
    return OWN_LOSSES[loss].values if loss in OWN_LOSSES else loss == SQUARED_ERROR


@overload
def own_loss(function: F) -> F: ...
@overload
def own_loss(*, values: bool = False) -> Callable[[F], F]: ...
def own_loss(function: F | None = None, *, values: bool = False) -> F | Callable[[F], F]:
    """Let a function be a loss that models can name; `values`: for data with values to be predicted.

    It takes outputs, floats [N, K], and labels, int32 [N], or values [N, K], and returns the loss of each sample [N]
    and the gradient of their sum [N, K]. Used as `@own_loss` or `@own_loss(values=True)`.
    """

    def register(chosen: F) -> F:
        name, before = chosen.__name__, OWN_LOSSES.get(chosen.__name__)
        if name in LOSSES or (before and before.function.__module__ != chosen.__module__):
            raise ModelError(f"there is a loss {name} already: give yours another name")
        OWN_LOSSES[name] = OwnLoss(chosen, values)
        return chosen

    return register if function is None else register(function)
