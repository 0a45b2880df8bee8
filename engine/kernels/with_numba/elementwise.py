"""Activations, compiled."""

from math import pi, sqrt
from typing import Any

import numpy as np

from engine.kernels.table import Array, Mask
from engine.kernels.with_numba.functions import erf, exp
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.vectors import COUNT, FLOATS, Lanes, emitted, wide

ZERO = np.float32(0)
DENSITY = 1 / sqrt(2 * pi)  # of the standard normal distribution, at 0


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
    gelu_of(pointer(x, 0), pointer(y, 0), pointer(phi, 0), x.size)


@kernel
def gelu_gradient(x: Array, phi: Array, dy: Array, dx: Array) -> None:
    gelu_slope(pointer(x, 0), pointer(phi, 0), pointer(dy, 0), pointer(dx, 0), x.size)


@emitted(FLOATS, FLOATS, FLOATS, COUNT)
def gelu_of(b: Any, x: Any, y: Any, phi: Any, count: Any) -> None:
    """Set phi = (1 + erf(x / sqrt 2)) / 2 and y = x * phi."""

    def emit(lanes: Lanes) -> None:
        value = lanes.load(x)
        share = 0.5 + 0.5 * erf(value * sqrt(0.5)).in_single()
        lanes.store(share, phi)
        lanes.store(value * share, y)

    wide(b, count, emit)


@emitted(FLOATS, FLOATS, FLOATS, FLOATS, COUNT)
def gelu_slope(b: Any, x: Any, phi: Any, dy: Any, dx: Any, count: Any) -> None:
    """Set dx = dy * (phi + x * e^(-x * x / 2) / sqrt(2 pi))."""

    def emit(lanes: Lanes) -> None:
        value = lanes.load(x)
        power = exp(-0.5 * value * value).in_single()
        lanes.store(lanes.load(dy) * (lanes.load(phi) + value * DENSITY * power), dx)

    wide(b, count, emit)
