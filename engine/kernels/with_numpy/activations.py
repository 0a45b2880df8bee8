"""Activations that need exp, in numpy. Of the gradients only those are here whose temporaries can be spared."""

import numpy as np

from engine.kernels.arrays import Array

ONE = np.float32(1)
PIECE = 1 << 11  # values of a temporary


def tanh(x: Array, y: Array) -> None:
    np.tanh(x, out=y)


def tanh_gradient(y: Array, dy: Array, dx: Array) -> None:
    np.multiply(y, y, out=dx)
    np.subtract(ONE, dx, out=dx)
    np.multiply(dy, dx, out=dx)


def sigmoid(x: Array, y: Array) -> None:
    np.negative(x, out=y)
    np.exp(y, out=y)
    np.add(y, ONE, out=y)
    np.reciprocal(y, out=y)


def sigmoid_gradient(y: Array, dy: Array, dx: Array) -> None:
    np.subtract(ONE, y, out=dx)
    np.multiply(y, dx, out=dx)
    np.multiply(dy, dx, out=dx)


def silu(x: Array, y: Array) -> None:
    sigmoid(x, y)
    np.multiply(x, y, out=y)


def silu_gradient(x: Array, dy: Array, dx: Array) -> None:
    sigmoid(x, dx)
    for first in range(0, x.size, PIECE):
        part = slice(first, first + PIECE)
        gate = dx[part]
        slope = ONE - gate
        slope *= x[part]
        slope += ONE
        slope *= gate
        np.multiply(dy[part], slope, out=gate)


def softplus(x: Array, y: Array, slope: Array) -> None:
    np.logaddexp(x, np.float32(0), out=y)
    sigmoid(x, slope)


def leaky_relu(x: Array, y: Array, slope: float) -> None:
    np.multiply(x, np.float32(slope), out=y)
    np.copyto(y, x, where=x > 0)


def leaky_relu_gradient(x: Array, dy: Array, dx: Array, slope: float) -> None:
    np.multiply(dy, np.float32(slope), out=dx)
    np.copyto(dx, dy, where=x > 0)
