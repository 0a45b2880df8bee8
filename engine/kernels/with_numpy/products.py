"""Matrix products by numpy, which has them from BLAS: bits depend on its version, the processor and all sizes."""

import numpy as np

from engine.kernels.table import Array


def multiply(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
    target = work[: out.size].reshape(out.shape) if more else out
    np.matmul(a, b, out=target)
    if more:
        np.add(out, target, out=out)


def multiply_columns(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
    multiply(a.transpose(0, 2, 1), b, out, more, work)
