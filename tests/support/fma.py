"""A fused multiply-add of float32 arrays by numpy alone: a * b + c, rounded once."""

import numpy as np

from engine.kernels import Array


def fma(a: Array, b: Array, c: Array) -> Array:
    """Return a * b + c, element by element, rounded once to float32.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd (Boldo and Melquiond 2008): where
    it is not exact (two-sum, Knuth), the last bit is set by going to the neighbour on the side of the error. So the
    second rounding, to float32, cannot fall on a tie that was none.
    """
    with np.errstate(invalid="ignore"):
        product, addend = a.astype(np.float64) * b, np.asarray(c, np.float64)
        total = product + addend
        part = total - product
        error = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64).copy()
    fix = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
    bits += np.where(fix, np.where((error > 0) == (total > 0), 1, -1), 0)
    with np.errstate(over="ignore"):
        return bits.view(np.float64).astype(np.float32)


def chain(a: Array, b: Array, first: Array) -> Array:
    """Return first + a @ b for a [M, K], b [K, N], first [M, N]: one chain of `fma` a value, k ascending."""
    out = first
    for k in range(a.shape[1]):
        out = fma(np.broadcast_to(a[:, k, None], out.shape), np.broadcast_to(b[k], out.shape), out)
    return out
