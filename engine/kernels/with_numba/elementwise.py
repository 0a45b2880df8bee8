"""Activations, compiled."""

from math import pi, sqrt

import numpy as np

from engine.kernels.table import Array, Mask
from engine.kernels.with_numba.functions import erf, exp
from engine.kernels.with_numba.jit import kernel

ZERO = np.float32(0)
HALF = np.float32(0.5)
ROOT_HALF = np.float32(sqrt(0.5))
DENSITY = np.float32(1 / sqrt(2 * pi))  # of the standard normal distribution, at 0


@kernel
def relu(x: Array, y: Array, mask: Mask) -> None:
    for k in range(x.size):
        mask[k] = x[k] > ZERO
        y[k] = ZERO if x[k] <= ZERO else x[k]  # in this order, so that NaN passes


@kernel
def relu_gradient(mask: Mask, dy: Array, dx: Array) -> None:
    for k in range(dx.size):
        dx[k] = dy[k] if mask[k] else ZERO


@kernel
def gelu(x: Array, y: Array, phi: Array) -> None:
    for k in range(x.size):
        phi[k] = HALF + HALF * np.float32(erf(np.float64(x[k] * ROOT_HALF)))
        y[k] = x[k] * phi[k]


@kernel
def gelu_gradient(x: Array, phi: Array, dy: Array, dx: Array) -> None:
    for k in range(x.size):
        dx[k] = dy[k] * (phi[k] + x[k] * DENSITY * np.float32(exp(np.float64(-HALF * x[k] * x[k]))))
