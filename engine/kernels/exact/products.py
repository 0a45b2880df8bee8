"""Fused multiply-add in float32, and products of matrices as chains of it, by float64 and its bits.

The product of two float32 is exact in float64. Its sum with a third is rounded there to odd: if it is not exact, to the
neighbour whose last bit is 1. Rounding that to float32 gives what rounding the exact sum once would (Boldo and
Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008).
"""

import numpy as np

from engine.kernels.pairs import in_pairs
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


def multiply(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:  # noqa: ARG001
    """Set out [G, M, N] = a [G, M, K] b [G, K, N], or with `more` go on with what is there.

    Each value is one chain of `fma` over ascending k, from 0 or from what is there: where it is cut leaves no trace.
    """
    if not more:
        out.fill(0)
    for k in range(a.shape[2]):
        out[...] = fma(a[:, :, k, None], b[:, k, None, :], out)


def matrix_gradient(a: Array, b: Array, out: Array, microbatch: int, work: Array) -> None:
    """Set out [M, O] to the chains over (t, sample) of a [T, N, M]^T b [T, N, O], added up over micro-batches."""

    def chain(first: int) -> Array:
        part = slice(first, first + microbatch)
        rows: Array = np.empty((1, *out.shape), np.float32)
        left, right = (x[:, part].reshape(1, -1, x.shape[2]) for x in (a, b))
        multiply(left.transpose(0, 2, 1), right, rows, False, work)
        return rows.reshape(out.shape)

    np.copyto(out, in_pairs([chain(first) for first in range(0, a.shape[1], microbatch)], np.add))
