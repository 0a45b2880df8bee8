"""Fused multiply-add in float32, and products of matrices as chains of it, by float64 and its bits.

The product of two float32 is exact in float64. Its sum with a third is rounded there to odd: if it is not exact, to the
neighbour whose last bit is 1. Rounding that to float32 gives what rounding the exact sum once would (Boldo and
Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008).
"""

import numpy as np

from engine.kernels.table import Array


def fma(a: Array, b: Array, c: Array) -> Array:
    """Return a * b + c, rounded once; the three are broadcast."""
    product, addend = a.astype(np.float64) * b, c.astype(np.float64)
    total = product + addend
    # The error of the sum, exactly (Knuth's two-sum).
    part = total - product
    error = (product - (total - part)) + (addend - part)
    even = (total.view(np.int64) & 1) == 0
    moved = np.nextafter(total, np.copysign(np.inf, error))
    odd = np.where((error != 0) & even & np.isfinite(total), moved, total)
    return odd.astype(np.float32)


def multiply(a: Array, b: Array, out: Array) -> None:
    """Set out [..., M, N] = a [..., M, K] b [..., K, N]: each value is one chain of `fma` over ascending k from 0."""
    out.fill(0)
    multiply_add(a, b, out)


def multiply_add(a: Array, b: Array, out: Array) -> None:
    """Do the same, from what is in `out` instead of 0: so a product may be continued, k by k, without a trace."""
    for k in range(a.shape[-1]):
        out[...] = fma(a[..., k, None], b[..., None, k, :], out)
