"""Activations that need exp, and the leaky ReLU, compiled."""

import numpy as np

from engine.kernels.arrays import Array
from engine.kernels.series import LOG32
from engine.kernels.with_numba.functions import exp_below, expm1, polynomial
from engine.kernels.with_numba.jit import inner, kernel

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
SINGLE_LOG = tuple(np.float32(c) for c in LOG32)


@kernel
def tanh(x: Array, y: Array) -> None:
    for k in range(x.size):
        less = expm1(2.0 * np.float64(x[k]))
        y[k] = np.float32(less / (less + 2.0))


@kernel
def tanh_gradient(y: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (ONE - y[k] * y[k])


@kernel
def sigmoid(x: Array, y: Array) -> None:
    for k in range(x.size):
        y[k] = gate_of(x[k])


@kernel
def sigmoid_gradient(y: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (y[k] * (ONE - y[k]))


@kernel
def silu(x: Array, y: Array, gate: Array) -> None:
    for k in range(x.size):
        gate[k] = gate_of(x[k])
        y[k] = x[k] * gate[k]


@kernel
def silu_gradient(x: Array, gate: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (gate[k] * (ONE + x[k] * (ONE - gate[k])))


@kernel
def softplus(x: Array, y: Array, slope: Array) -> None:
    for k in range(x.size):
        above = x[k] > ZERO
        power = exp_below(-x[k] if above else x[k])
        s = power / (TWO + power)
        y[k] = (x[k] if above else ZERO) + TWO * s * polynomial(SINGLE_LOG, s * s)
        slope[k] = (ONE if above else power) / (ONE + power)


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


@inner
def gate_of(x: np.float32) -> np.float32:
    """Return 1 / (1 + e^-x)."""
    power = exp_below(-x if x > ZERO else x)
    return (ONE if x > ZERO else power) / (ONE + power)
