"""Optimizers that step along the gradient, or along a velocity made of all gradients so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.nn.optimizers.base import Optimizer, State, fraction
from engine.nn.parameters import Vector

if TYPE_CHECKING:
    from engine.kernels import Backend


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: w -= lr * g."""

    def start(self, size: int, backend: Backend | None = None, decayed: Sequence[slice] | None = None) -> State:
        """Return a state without vectors."""
        return _SGDState(self, size, backend, decayed)


class _SGDState(State):
    def _update(self, parameters: Vector, out: Vector, gradient: Vector, scale: float) -> None:
        self._backend.sgd(parameters, out, gradient, scale, float(self.lr), self._work)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with a velocity: v = momentum * v + g; w -= lr * v (Sutskever et al. 2013, section 2)."""

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self, "momentum")

    def start(self, size: int, backend: Backend | None = None, decayed: Sequence[slice] | None = None) -> State:
        """Return a state with the vector `velocity`, all zero."""
        return _MomentumState(self, size, backend, decayed)


class _MomentumState(State):
    names = ("velocity",)

    def __init__(self, settings: Momentum, size: int, backend: Backend | None, decayed: Sequence[slice] | None) -> None:
        super().__init__(settings, size, backend, decayed)
        self._mu = float(settings.momentum)

    def _update(self, parameters: Vector, out: Vector, gradient: Vector, scale: float) -> None:
        velocity = self._tensors["velocity"]
        self._backend.momentum(parameters, out, velocity, gradient, scale, float(self.lr), self._mu, self._work)


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Momentum that looks ahead: v = momentum * v + g; w -= lr * (g + momentum * v).

    The form of Sutskever et al. 2013, section 2, in which w is where the gradient is taken.
    """

    def start(self, size: int, backend: Backend | None = None, decayed: Sequence[slice] | None = None) -> State:
        """Return a state with the vector `velocity`, all zero."""
        return _NesterovState(self, size, backend, decayed)


class _NesterovState(_MomentumState):
    def _update(self, parameters: Vector, out: Vector, gradient: Vector, scale: float) -> None:
        velocity = self._tensors["velocity"]
        self._backend.nesterov(parameters, out, velocity, gradient, scale, float(self.lr), self._mu, self._work)
