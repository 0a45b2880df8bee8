"""Loops over arrays that do not overlap, compiled."""

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner


@inner
def copy(z: Array, a: Array) -> None:
    """Set z = a."""
    for k in range(z.size):
        z[k] = a[k]


@inner
def add(z: Array, a: Array, b: Array) -> None:
    """Set z = a + b."""
    for k in range(z.size):
        z[k] = a[k] + b[k]


@inner
def increase(z: Array, a: Array) -> None:
    """Add a to z."""
    for k in range(z.size):
        z[k] += a[k]
