"""Matrix products by numpy, which has them from BLAS: bits depend on its version, the processor and all sizes."""

import numpy as np

from engine.kernels.pairs import sum_in_pairs
from engine.kernels.table import Array


def multiply(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
    target = work[: out.size].reshape(out.shape) if more else out
    np.matmul(a, b, out=target)
    if more:
        np.add(out, target, out=out)


def matrix_gradient(a: Array, b: Array, out: Array, microbatch: int, work: Array) -> None:
    def product(number: int, total: Array) -> None:
        part = slice(number * microbatch, (number + 1) * microbatch)
        np.dot(_rows(a[:, part]).T, _rows(b[:, part]), out=total)

    sum_in_pairs(out, work, -(-a.shape[1] // microbatch), product)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[2])


def transpose(a: Array, out: Array) -> None:
    np.copyto(out, a.transpose(0, 2, 1))
