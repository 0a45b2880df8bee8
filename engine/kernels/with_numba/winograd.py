"""Winograd's minimal filtering F(2x2, 3x3), compiled: tile row by tile row, with scratch that stays in the L1 cache.

The matrices are those of Lavin and Gray 2015, section 4.1, written out as sums.
"""

import numpy as np

from engine.kernels.table import Array, Route
from engine.kernels.with_numba.convolution import add, copy
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.pooling import deal, first_maximum, repeat

HALF = np.float32(0.5)
PIECE = 512  # values of a filter transformed at a time


@kernel
def winograd_filter(w: Array, u: Array, ut: Array, work: Array) -> None:
    """See the table."""
    C, filters = w.shape[2:]
    turned = work[: 9 * C * filters].reshape(3, 3, filters, C)
    for a in range(3):
        for b in range(3):
            for o in range(filters):
                for c in range(C):
                    turned[a, b, o, c] = w[a, b, c, o]
    transform_filter(w.reshape(3, 3, -1), u.reshape(4, 4, -1))
    transform_filter(turned.reshape(3, 3, -1), ut.reshape(4, 4, -1))
