"""Optimizers that divide each step by how large the gradients of that parameter have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

from engine.nn.optimizers.base import Optimizer, State, above_zero, fraction
from engine.nn.parameters import Vector

if TYPE_CHECKING:
    from engine.kernels import Backend


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of the squared gradient (Tieleman and Hinton 2012, lecture 6.5).

    v = alpha v + (1 - alpha) g^2; w -= lr * g / (sqrt(v) + epsilon).
    """

    alpha: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self, "alpha")
        above_zero(self, "epsilon")

    def start(self, size: int, backend: Backend | None = None, decayed: Sequence[slice] | None = None) -> State:
        """Return a state with the vector `v`, all zero."""
        return _RMSpropState(self, size, backend, decayed)


class _RMSpropState(State):
    names = ("v",)

    def __init__(self, settings: RMSprop, size: int, backend: Backend | None, decayed: Sequence[slice] | None) -> None:
        super().__init__(settings, size, backend, decayed)
        self._alpha, self._epsilon = float(settings.alpha), float(settings.epsilon)

    def _update(self, parameters: Vector, out: Vector, gradient: Vector, scale: float) -> None:
        numbers = scale, float(self.lr), self._alpha, self._epsilon
        self._backend.rmsprop(parameters, out, self._tensors["v"], gradient, *numbers, self._work)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps scaled by running means of the gradient and its square (Kingma and Ba 2015, algorithm 1).

    m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) g^2, both corrected for their start at zero, m by
    1 / (1 - beta1^t), v by 1 / (1 - beta2^t), t from 1; then w -= lr * m / (sqrt(v) + epsilon).
    """

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self, "beta1", "beta2")
        above_zero(self, "epsilon")

    def start(self, size: int, backend: Backend | None = None, decayed: Sequence[slice] | None = None) -> State:
        """Return a state with the vectors `m` and `v`, all zero."""
        return _AdamState(self, size, backend, decayed)


class _AdamState(State):
    names = ("m", "v")

    def __init__(self, settings: Adam, size: int, backend: Backend | None, decayed: Sequence[slice] | None) -> None:
        super().__init__(settings, size, backend, decayed)
        self._settings = settings

    def _update(self, parameters: Vector, out: Vector, gradient: Vector, scale: float) -> None:
        s, m, v = self._settings, self._tensors["m"], self._tensors["v"]
        # lr * (m / c1) / (sqrt(v / c2) + eps) = (lr * sqrt(c2) / c1) * m / (sqrt(v) + eps * sqrt(c2))
        root = sqrt(1 - power(s.beta2, self.steps))
        betas = float(s.beta1), float(s.beta2)  # whole numbers are settings, too, but other types to a compiler
        rate, epsilon = self.lr * root / (1 - power(s.beta1, self.steps)), s.epsilon * root
        self._backend.adam(parameters, out, m, v, gradient, scale, rate, betas, epsilon, self._work)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay has no part in the running means (Loshchilov and Hutter 2019, algorithm 2)."""

    decoupled: ClassVar[bool] = True
    weight_decay: float = field(default=0.01, kw_only=True)


def power(base: float, exponent: int) -> float:
    """Return base^exponent by repeated squaring: a power of the C library may differ from machine to machine."""
    result, square = 1.0, float(base)
    while exponent:
        if exponent % 2:
            result *= square
        square *= square
        exponent //= 2
    return result
