"""Activations that need exp, exactly."""

import numpy as np

from engine.kernels.arrays import Array
from engine.kernels.exact.functions import exp_below, expm1, polynomial
from engine.kernels.series import LOG32

ONE, TWO = np.float32(1), np.float32(2)


def tanh(x: Array, y: Array) -> None:
    less = expm1(2 * x.astype(np.float64))
    np.copyto(y, (less / (less + 2)).astype(np.float32))


def tanh_gradient(y: Array, dy: Array, dx: Array) -> None:
    np.multiply(dy, ONE - y * y, out=dx)


def sigmoid(x: Array, y: Array) -> None:
    power = exp_below(-np.abs(x))
    np.copyto(y, np.where(x > 0, ONE, power) / (ONE + power))


def sigmoid_gradient(y: Array, dy: Array, dx: Array) -> None:
    np.multiply(dy, y * (ONE - y), out=dx)


def silu(x: Array, y: Array) -> None:
    sigmoid(x, y)
    np.multiply(x, y, out=y)


def silu_gradient(x: Array, dy: Array, dx: Array) -> None:
    gate = np.empty_like(x)
    sigmoid(x, gate)
    np.multiply(dy, gate * (ONE + x * (ONE - gate)), out=dx)


def softplus(x: Array, y: Array, slope: Array) -> None:
    power = exp_below(-np.abs(x))
    s = power / (TWO + power)
    np.copyto(y, np.where(x > 0, x, np.float32(0)) + TWO * s * polynomial(LOG32, s * s))
    sigmoid(x, slope)


def leaky_relu(x: Array, y: Array, slope: float) -> None:
    np.copyto(y, np.where(x > 0, x, np.float32(slope) * x))


def leaky_relu_gradient(x: Array, dy: Array, dx: Array, slope: float) -> None:
    np.copyto(dx, np.where(x > 0, dy, np.float32(slope) * dy))
