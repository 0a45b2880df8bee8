"""Activations that need exp, and the leaky ReLU, compiled."""

from typing import Any

import numpy as np

from engine.kernels.arrays import Array
from engine.kernels.series import LOG32
from engine.kernels.with_numba.functions import exp_below, expm1, polynomial
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import COUNT, FLOATS, Lanes, emitted, wide

ZERO, ONE = np.float32(0), np.float32(1)


@kernel
def tanh(x: Array, y: Array) -> None:
    tanh_of(pointer(x, 0), pointer(y, 0), x.size)


@kernel
def tanh_gradient(y: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (ONE - y[k] * y[k])


@kernel
def sigmoid(x: Array, y: Array) -> None:
    sigmoid_of(pointer(x, 0), pointer(y, 0), x.size)


@kernel
def sigmoid_gradient(y: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (y[k] * (ONE - y[k]))


@kernel
def silu(x: Array, y: Array) -> None:
    silu_of(pointer(x, 0), pointer(y, 0), x.size)


@kernel
def silu_gradient(x: Array, dy: Array, dx: Array) -> None:
    silu_slope(pointer(x, 0), pointer(dy, 0), pointer(dx, 0), x.size)


@kernel
def softplus(x: Array, y: Array, slope: Array) -> None:
    softplus_of(pointer(x, 0), pointer(y, 0), pointer(slope, 0), x.size)


@kernel
def leaky_relu(x: Array, y: Array, slope: float) -> None:
    factor = np.float32(slope)
    for k in range(x.size):
        y[k] = x[k] if x[k] > ZERO else factor * x[k]


@kernel
def leaky_relu_gradient(x: Array, dy: Array, dx: Array, slope: float) -> None:
    factor = np.float32(slope)
    for k in range(dx.size):
        dx[k] = dy[k] if x[k] > ZERO else factor * dy[k]


@emitted(FLOATS, FLOATS, COUNT)
def tanh_of(b: Any, x: Any, y: Any, count: Any) -> None:
    """Set y = tanh(x)."""

    def emit(lanes: Lanes) -> None:
        less = expm1(2.0 * lanes.load(x).in_double())
        lanes.store((less / (less + 2.0)).in_single(), y)

    wide(b, count, emit)


@emitted(FLOATS, FLOATS, COUNT)
def sigmoid_of(b: Any, x: Any, y: Any, count: Any) -> None:
    """Set y = 1 / (1 + e^-x)."""
    wide(b, count, lambda lanes: lanes.store(_gate(*_folded(lanes.load(x))), y))


@emitted(FLOATS, FLOATS, COUNT)
def silu_of(b: Any, x: Any, y: Any, count: Any) -> None:
    """Set y = x / (1 + e^-x)."""

    def emit(lanes: Lanes) -> None:
        value = lanes.load(x)
        lanes.store(value * _gate(*_folded(value)), y)

    wide(b, count, emit)


@emitted(FLOATS, FLOATS, FLOATS, COUNT)
def silu_slope(b: Any, x: Any, dy: Any, dx: Any, count: Any) -> None:
    """Set dx = dy * (gate * (1 + x * (1 - gate))), gate = 1 / (1 + e^-x)."""

    def emit(lanes: Lanes) -> None:
        value = lanes.load(x)
        gate = _gate(*_folded(value))
        lanes.store(lanes.load(dy) * (gate * (1 + value * (1 - gate))), dx)

    wide(b, count, emit)


@emitted(FLOATS, FLOATS, FLOATS, COUNT)
def softplus_of(b: Any, x: Any, y: Any, slope: Any, count: Any) -> None:
    """Set y = log(1 + e^x) and slope = 1 / (1 + e^-x)."""

    def emit(lanes: Lanes) -> None:
        value = lanes.load(x)
        above, power = _folded(value)
        s = power / (2 + power)
        lanes.store(value.where(above, 0) + 2 * s * polynomial(LOG32, s * s), y)
        lanes.store(_gate(above, power), slope)

    wide(b, count, emit)


def _folded(x: Vector) -> tuple[Any, Vector]:
    """Return where x is above 0, and e^-|x|."""
    above = x.above(0)
    return above, exp_below((-x).where(above, x))


def _gate(above: Any, power: Vector) -> Vector:
    """Return 1 / (1 + e^-x), of what `_folded` returns."""
    return power.full(1).where(above, power) / (1 + power)
