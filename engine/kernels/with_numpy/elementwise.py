"""Activations in numpy."""

from math import pi, sqrt

import numpy as np
from scipy.special import erf

from engine.kernels.table import Array, Mask

HALF = np.float32(0.5)
ONE = np.float32(1)
ROOT_HALF = np.float32(sqrt(0.5))
DENSITY = np.float32(1 / sqrt(2 * pi))  # of the standard normal distribution, at 0


def relu(x: Array, y: Array, mask: Mask) -> None:
    np.greater(x, 0, out=mask)
    np.maximum(x, 0, out=y)


def relu_gradient(mask: Mask, dy: Array, dx: Array) -> None:
    np.multiply(dy, mask, out=dx)


def gelu(x: Array, y: Array, phi: Array) -> None:
    np.multiply(x, ROOT_HALF, out=phi)
    erf(phi, out=phi)
    np.add(phi, ONE, out=phi)
    np.multiply(phi, HALF, out=phi)
    np.multiply(x, phi, out=y)


def gelu_gradient(x: Array, phi: Array, dy: Array, dx: Array) -> None:
    np.multiply(x, x, out=dx)
    np.multiply(dx, -HALF, out=dx)
    np.exp(dx, out=dx)
    np.multiply(dx, x, out=dx)
    np.multiply(dx, DENSITY, out=dx)
    np.add(dx, phi, out=dx)
    np.multiply(dx, dy, out=dx)
