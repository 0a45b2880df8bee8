"""Activations, exactly."""

import numpy as np

from engine.kernels.exact.functions import erf, exp
from engine.kernels.table import Array, Mask
from engine.kernels.with_numpy.elementwise import DENSITY, HALF, ROOT_HALF


def relu(x: Array, y: Array, mask: Mask) -> None:
    np.greater(x, 0, out=mask)
    np.copyto(y, np.where(x <= 0, np.float32(0), x))  # NaN passes, and -0 becomes 0


def relu_gradient(mask: Mask, dy: Array, dx: Array) -> None:
    np.copyto(dx, np.where(mask, dy, np.float32(0)))


def gelu(x: Array, y: Array, phi: Array) -> None:
    np.copyto(phi, HALF + HALF * erf((x * ROOT_HALF).astype(np.float64)).astype(np.float32))
    np.multiply(x, phi, out=y)


def gelu_gradient(x: Array, phi: Array, dy: Array, dx: Array) -> None:
    power = exp((-HALF * x * x).astype(np.float64)).astype(np.float32)
    np.multiply(dy, phi + x * DENSITY * power, out=dx)
