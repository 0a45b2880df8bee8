"""Activations that need exp, and the leaky ReLU, compiled."""

import numpy as np

from engine.kernels.arrays import Array
from engine.kernels.series import LOG
from engine.kernels.with_numba.functions import exp, expm1, polynomial
from engine.kernels.with_numba.jit import kernel

ZERO, ONE = np.float32(0), np.float32(1)


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
        y[k] = np.float32(1.0 / (1.0 + exp(-np.float64(x[k]))))


@kernel
def sigmoid_gradient(y: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (y[k] * (ONE - y[k]))


@kernel
def silu(x: Array, y: Array, gate: Array) -> None:
    for k in range(x.size):
        gate[k] = np.float32(1.0 / (1.0 + exp(-np.float64(x[k]))))
        y[k] = x[k] * gate[k]


@kernel
def silu_gradient(x: Array, gate: Array, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] * (gate[k] * (ONE + x[k] * (ONE - gate[k])))


@kernel
def softplus(x: Array, y: Array, slope: Array) -> None:
    for k in range(x.size):
        wide = np.float64(x[k])
        power = exp(-abs(wide))
        s = power / (2.0 + power)
        y[k] = np.float32((wide if wide > 0.0 else 0.0) + 2.0 * s * polynomial(LOG, s * s))
        slope[k] = np.float32((1.0 if wide > 0.0 else power) / (1.0 + power))


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
