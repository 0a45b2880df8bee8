"""Losses, compiled."""

import numpy as np

from engine.kernels.table import Array, Doubles, Labels
from engine.kernels.with_numba import functions
from engine.kernels.with_numba.jit import inner, kernel

exp, log = map(functions.of_number, (functions.exp, functions.log))


@kernel
def softmax_cross_entropy(z: Array, labels: Labels, losses: Doubles, dz: Array) -> int:
    correct = 0
    for n in range(z.shape[0]):
        row, out, label = z[n], dz[n], labels[n]
        best = first_largest(row)
        largest = row[best]
        total = 0.0
        powers(row, largest, out)
        for k in range(row.size):
            total += out[k]
        losses[n] = log(total) - (np.float64(row[label]) - largest)
        for k in range(row.size):
            out[k] = np.float32(out[k] / total)
        out[label] -= np.float32(1)
        correct += best == label and losses[n] == losses[n]
    return correct


@kernel
def mean_squared_error(z: Array, labels: Labels, losses: Doubles, dz: Array) -> int:
    correct = 0
    K = z.shape[1]
    for n in range(z.shape[0]):
        row, out, label = z[n], dz[n], labels[n]
        total = 0.0
        for k in range(K):
            error = row[k] - np.float32(1) if k == label else row[k]
            out[k] = error * np.float32(2 / K)
            total += np.float64(error) * np.float64(error)
        losses[n] = total / K
        correct += first_largest(row) == label and total == total  # noqa: PLR0124
    return correct


@kernel
def squared_error_of_values(z: Array, values: Array, losses: Doubles, dz: Array) -> None:
    T = z.shape[1]
    for n in range(z.shape[0]):
        row, wanted, out = z[n], values[n], dz[n]
        total = 0.0
        for t in range(T):
            error = row[t] - wanted[t]
            out[t] = error * np.float32(2 / T)
            total += np.float64(error) * np.float64(error)
        losses[n] = total / T


@inner
def powers(row: Array, largest: np.float32, out: Array) -> None:
    """Set out = e^(row - largest): no exponent is above 0, so none overflows."""
    for k in range(row.size):
        out[k] = np.float32(exp(np.float64(row[k] - largest)))


@inner
def first_largest(row: Array) -> int:
    """Return the place of the first maximum."""
    best = 0
    for k in range(1, row.size):
        if row[k] > row[best]:
            best = k
    return best
