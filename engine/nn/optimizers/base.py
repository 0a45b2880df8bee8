"""What an optimizer is, what it remembers from step to step, and weight decay, which all of them have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from engine.errors import SettingsError
from engine.kernels.rounding import check_rounding
from engine.nn.parameters import FLOAT_MAX, FLOAT_MIN, Vector, aligned

if TYPE_CHECKING:
    from engine.kernels import Backend

PIECE = 1 << 16  # values of scratch: small enough to stay in cache, large enough for few calls


@dataclass(frozen=True)
class Optimizer(ABC):
    """Base of all optimizers: validated settings. `lr` is the learning rate.

    `weight_decay` is what pulls the parameters to 0. It is added to the gradient, as weight_decay * w, or if the
    optimizer is `decoupled`, w is multiplied by 1 - lr * weight_decay before the step.
    """

    decoupled: ClassVar[bool] = False
    lr: float = 0.01
    weight_decay: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        above_zero(self, "lr")
        value = _number(self, "weight_decay")
        if not 0 <= value <= FLOAT_MAX:
            kind = type(self).__name__
            raise SettingsError(f"{kind}: weight_decay must be from 0 to {FLOAT_MAX:.3g}, got {value!r}")

    @abstractmethod
    def start(self, size: int, backend: Backend | None = None, decayed: Sequence[slice] | None = None) -> State:
        """Return the state before the first step, for `size` parameters, on `backend` (default: `kernels.choose()`).

        `decayed`: the parts of the parameters that weight decay acts on (default: all).
        """


class State(ABC):
    """What an optimizer remembers from step to step: `steps` taken, `lr` (may be changed at any time), its vectors."""

    names: ClassVar[tuple[str, ...]] = ()  # of its vectors

    def __init__(
        self, settings: Optimizer, size: int, backend: Backend | None, decayed: Sequence[slice] | None
    ) -> None:
        from engine.kernels import choose  # noqa: PLC0415 - slow to import, and settings want only the names below

        self.lr = settings.lr
        self.steps = 0
        self._backend = backend or choose()
        self._work = aligned(min(size, PIECE))
        self._tensors = {name: aligned(size) for name in self.names}
        self._decay, self._decoupled = float(settings.weight_decay), settings.decoupled
        self._decayed = _pieces([slice(0, size)] if decayed is None else decayed) if self._decay else []
        self._sum = aligned(size) if self._decay and not self._decoupled else None  # of gradient and decay
        self._copy: Vector | None = None  # of parameters

    def step(self, parameters: Vector, gradient: Vector, scale: float, out: Vector | None = None) -> None:
        """Write to `out` where `parameters` are after one step against `scale` * `gradient`.

        Without `out`, which must not overlap them, they are changed in place. Raises as `check_rounding`.
        """
        check_rounding()
        self.steps += 1
        before, out = (parameters, out) if out is not None else (self._copied(parameters), parameters)
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is noticed by its next loss
            if self._sum is not None:
                self._add_decay(self._sum, before, gradient, scale)
                gradient = self._sum
            elif self._decay:
                before = self._copied(before)
                for piece in self._decayed:
                    np.multiply(before[piece], np.float32(1 - self.lr * self._decay), out=before[piece])
            self._update(before, out, gradient, scale)

    def _copied(self, parameters: Vector) -> Vector:
        """Return the parameters as they are now, in a vector that is made with the first call."""
        if self._copy is None:
            self._copy = aligned(parameters.size)
        if parameters is not self._copy:
            np.copyto(self._copy, parameters)
        return self._copy

    def _add_decay(self, total: Vector, parameters: Vector, gradient: Vector, scale: float) -> None:
        """Let `total` be what `scale` makes the gradient with the decay added."""
        np.copyto(total, gradient)
        for piece in self._decayed:
            work = self._work[: piece.stop - piece.start]
            np.multiply(parameters[piece], np.float32(self._decay / scale), out=work)
            np.add(total[piece], work, out=total[piece])

    @abstractmethod
    def _update(self, parameters: Vector, out: Vector, gradient: Vector, scale: float) -> None: ...

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


def _pieces(parts: Sequence[slice]) -> list[slice]:
    """Return `parts` cut so that each is no larger than the scratch."""
    return [slice(at, min(at + PIECE, part.stop)) for part in parts for at in range(part.start, part.stop, PIECE)]


def above_zero(settings: Optimizer, *names: str) -> None:
    """Raise SettingsError unless every named setting is a number above 0 that float32, the type of all vectors, has."""
    for name in names:
        value = _number(settings, name)
        if not FLOAT_MIN <= value <= FLOAT_MAX:
            kind = type(settings).__name__
            raise SettingsError(
                f"{kind}: {name} must be from {FLOAT_MIN:.3g} to {FLOAT_MAX:.3g}, the range of float32, got {value!r}"
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
