"""Optimizers, in order of increasing complexity: settings that are data, and the state that a run carries along.

`Adam(lr=0.001).start(size)` returns a state; `state.step(parameters, gradient, scale)` changes the parameters in place.
`scale` turns a summed gradient into the mean (1 / batch size) on the fly; the gradient itself is left alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import SettingsError
from engine.kernels.rounding import check_rounding
from engine.nn.parameters import Vector, aligned

if TYPE_CHECKING:
    from engine.kernels import Backend

LEAST, MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
PIECE = 1 << 16  # values of scratch: small enough to stay in cache, large enough for few calls


@dataclass(frozen=True)
class Optimizer(ABC):
    """Base of all optimizers: validated settings. `lr` is the learning rate."""

    lr: float = 0.01

    def __post_init__(self) -> None:
        above_zero(self, "lr")

    @abstractmethod
    def start(self, size: int, backend: Backend | None = None) -> State:
        """Return the state before the first step, for `size` parameters, on `backend` (default: `kernels.choose()`)."""


class State(ABC):
    """What an optimizer remembers from step to step: `steps` taken, `lr` (may be changed at any time), its vectors."""

    def __init__(self, lr: float, size: int, names: tuple[str, ...], backend: Backend | None) -> None:
        from engine.kernels import choose  # noqa: PLC0415 - slow to import, and settings want only the names below

        self.lr = lr
        self.steps = 0
        self._backend = backend or choose()
        self._work = aligned(min(size, PIECE))
        self._tensors = {name: aligned(size) for name in names}

    def step(self, parameters: Vector, gradient: Vector, scale: float) -> None:
        """Change `parameters` in place, one step against `scale` * `gradient`. Raises as `check_rounding`."""
        check_rounding()
        self.steps += 1
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is noticed by its next loss
            self._update(parameters, gradient, scale)

    @abstractmethod
    def _update(self, parameters: Vector, gradient: Vector, scale: float) -> None: ...

    def tensors(self) -> dict[str, Vector]:
        """Return the vectors that a checkpoint must hold: the state's own, not copies."""
        return dict(self._tensors)

    def load(self, tensors: Mapping[str, Vector], steps: int) -> None:
        """Continue from what `tensors()` held after `steps` steps; ValueError if names or shapes differ."""
        if tensors.keys() != self._tensors.keys():
            raise ValueError(f"want the vectors {sorted(self._tensors)}, got {sorted(tensors)}")
        for name, own in self._tensors.items():
            if tensors[name].shape != own.shape:
                raise ValueError(f"{name} has shape {tensors[name].shape}, want {own.shape}")
        for name, own in self._tensors.items():
            own[...] = tensors[name]
        self.steps = steps


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: w -= lr * g."""

    def start(self, size: int, backend: Backend | None = None) -> State:
        """Return a state without vectors."""
        return _SGDState(self.lr, size, (), backend)


class _SGDState(State):
    def _update(self, parameters: Vector, gradient: Vector, scale: float) -> None:
        self._backend.sgd(parameters, gradient, scale, float(self.lr), self._work)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with a velocity: v = momentum * v + g; w -= lr * v (Sutskever et al. 2013, section 2)."""

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(self, "momentum")

    def start(self, size: int, backend: Backend | None = None) -> State:
        """Return a state with the vector `velocity`, all zero."""
        return _MomentumState(self, size, backend)


class _MomentumState(State):
    def __init__(self, settings: Momentum, size: int, backend: Backend | None) -> None:
        super().__init__(settings.lr, size, ("velocity",), backend)
        self._settings = settings

    def _update(self, parameters: Vector, gradient: Vector, scale: float) -> None:
        velocity, mu = self._tensors["velocity"], float(self._settings.momentum)
        self._backend.momentum(parameters, velocity, gradient, scale, float(self.lr), mu, self._work)


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

    def start(self, size: int, backend: Backend | None = None) -> State:
        """Return a state with the vectors `m` and `v`, all zero."""
        return _AdamState(self, size, backend)


class _AdamState(State):
    def __init__(self, settings: Adam, size: int, backend: Backend | None) -> None:
        super().__init__(settings.lr, size, ("m", "v"), backend)
        self._settings = settings

    def _update(self, parameters: Vector, gradient: Vector, scale: float) -> None:
        s, m, v = self._settings, self._tensors["m"], self._tensors["v"]
        # lr * (m / c1) / (sqrt(v / c2) + eps) = (lr * sqrt(c2) / c1) * m / (sqrt(v) + eps * sqrt(c2))
        root = sqrt(1 - power(s.beta2, self.steps))
        betas = float(s.beta1), float(s.beta2)  # whole numbers are settings, too, but other types to a compiler
        rate, epsilon = self.lr * root / (1 - power(s.beta1, self.steps)), s.epsilon * root
        self._backend.adam(parameters, m, v, gradient, scale, rate, betas, epsilon, self._work)


def power(base: float, exponent: int) -> float:
    """Return base^exponent by repeated squaring: a power of the C library may differ from machine to machine."""
    result, square = 1.0, float(base)
    while exponent:
        if exponent % 2:
            result *= square
        square *= square
        exponent //= 2
    return result


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
NAMES = tuple(OPTIMIZERS)


def optimizer_from(name: str, **settings: float) -> Optimizer:
    """Return the optimizer `name` with `settings`; SettingsError for an unknown name or setting, or a bad value."""
    if name not in OPTIMIZERS:
        raise SettingsError(f"no optimizer {name!r}; there are {', '.join(NAMES)}")
    known = [field.name for field in fields(OPTIMIZERS[name])]
    if unknown := sorted(settings.keys() - set(known)):
        raise SettingsError(f"{name} has no {unknown[0]!r}; its settings are {', '.join(known)}")
    return OPTIMIZERS[name](**settings)


def above_zero(settings: Optimizer, *names: str) -> None:
    """Raise SettingsError unless every named setting is a number above 0 that float32, the type of all vectors, has."""
    for name in names:
        value = _number(settings, name)
        if not LEAST <= value <= MOST:
            kind = type(settings).__name__
            raise SettingsError(
                f"{kind}: {name} must be from {LEAST:.3g} to {MOST:.3g}, the range of float32, got {value!r}"
            )


def fraction(settings: Optimizer, *names: str) -> None:
    """Raise SettingsError unless every named setting is at least 0 and below 1."""
    for name in names:
        value = _number(settings, name)
        if not 0 <= value < 1:
            raise SettingsError(f"{type(settings).__name__}: {name} must be at least 0 and below 1, got {value!r}")


def _number(settings: Optimizer, name: str) -> float:
    value = getattr(settings, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise SettingsError(f"{type(settings).__name__}: {name} must be a finite number, got {value!r}")
    return float(value)
