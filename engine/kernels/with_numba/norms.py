"""Normalisation of groups of channels, compiled: sums run along pixels for all samples and channels at once."""

from math import sqrt
from typing import Any

import numpy as np
from llvmlite import ir

from engine.kernels.arrays import Array, Place
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.loops import increase
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.pairs import level, level_of, merge, merge_rest
from engine.kernels.with_numba.pooling import repeat
from engine.kernels.with_numba.vector import FLOAT, Vector, filled
from engine.kernels.with_numba.vectors import COUNT, FLOATS, WORD, Lanes, chains, emitted

ZERO, ONE = np.float32(0), np.float32(1)
LANES = 16  # partial sums over the channels of a group


@kernel
def normalise(
    x: Array,
    scale: Array,
    bias: Array,
    groups: int,
    epsilon: float,
    y: Array,
    place: Place,
    stats: Array,
    work: Array,
) -> None:
    (h, w, L), (start, first), size = x.shape, place, scale.size // groups
    mean, factor, lanes = stats[0], stats[1], work[4 * L :]
    values = np.float32(h * w * size)
    stats[:] = ZERO
    for i in range(h):
        for j in range(w):
            increase(mean, x[i, j])
    share(mean, size, values, lanes)
    for i in range(h):
        for j in range(w):
            add_squares(factor, x[i, j], mean)
    share(factor, size, values, lanes)
    invert(factor, size, np.float32(epsilon))
    biases, factors = repeat(bias, work, L), work[2 * L : 3 * L]
    multiply_by(factors, factor, repeat(scale, work[L:], L))
    for i in range(h):
        for j in range(w):
            apply(y[start + i, start + j, first : first + L], x[i, j], mean, factors, biases)


@kernel
def normalise_gradient(
    x: Array,
    stats: Array,
    scale: Array,
    groups: int,
    dy: Array,
    place: Place,
    dx: Array,
    dscale: Array,
    dbias: Array,
    microbatch: int,
    work: Array,
) -> None:
    (h, w, L), (start, first), C = x.shape, place, scale.size
    mean, factor, lanes, waiting = stats[0], stats[1], work[4 * L : 4 * L + LANES], work[4 * L + LANES :]
    plain, steep = work[:L], work[L : 2 * L]
    work[: 2 * L] = ZERO
    for i in range(h):
        for j in range(w):
            gather(plain, steep, dy[start + i, start + j, first : first + L], x[i, j], mean, factor)
    add_samples(dbias, plain, microbatch, waiting)
    add_samples(dscale, steep, microbatch, waiting)
    if dx.size == 0:
        return
    scales, number = repeat(scale, work[2 * L :], L), np.float32(h * w * (C // groups))
    weigh(plain, steep, scales)
    share(plain, C // groups, number, lanes)
    share(steep, C // groups, number, lanes)
    factors = work[3 * L : 4 * L]
    prepare(plain, steep, factors, factor, scales)
    for i in range(h):
        for j in range(w):
            give(dx[i, j], dy[start + i, start + j, first : first + L], x[i, j], mean, factors, steep, plain)


@inner
def add_samples(total: Array, sums: Array, microbatch: int, work: Array) -> None:
    """Set total [C] to the sum of sums [N C] over the samples of each micro-batch, then in pairs."""
    C, count = total.size, (sums.size // total.size + microbatch - 1) // microbatch
    for number in range(count):
        to = level(total, work, level_of(number))
        to[:] = ZERO
        for n in range(number * microbatch * C, min((number + 1) * microbatch * C, sums.size), C):
            increase(to, sums[n : n + C])
        merge(total, work, number)
    merge_rest(total, work, count)


@inner
def share(sums: Array, size: int, number: np.float32, lanes: Array) -> None:
    """Set all `size` values of each group to their sum, divided by a number.

    Value k of a group is added to partial sum k mod 16, then these are added in order.
    """
    for start in range(0, sums.size, size):
        group, whole = sums[start : start + size], size // LANES
        if whole:
            fill(pointer(sums, start), whole, pointer(lanes, 0))
        else:
            lanes[:LANES] = ZERO
        for k in range(size - whole * LANES):
            lanes[k] += group[whole * LANES + k]
        total = ZERO
        for k in range(min(size, LANES)):
            total += lanes[k]
        group[:] = total / number


@emitted(FLOATS, COUNT, FLOATS)
def fill(b: Any, group: Any, count: Any, lanes: Any) -> None:
    """Set partial sum k, of 16, to that of the values k, 16 + k and so on; there are 16 `count` of them."""

    def add(at: Any, sums: list[Vector]) -> list[Vector]:
        return [sums[0] + Lanes(b, b.mul(at, ir.Constant(WORD, LANES)), None, LANES).load(group)]

    zero = Vector(b, filled(ir.VectorType(FLOAT, LANES), 0))
    Lanes(b, ir.Constant(WORD, 0), None, LANES).store(chains(b, count, [zero], add)[0], lanes)


@inner
def add_squares(sums: Array, x: Array, mean: Array) -> None:
    """Add the square of x - mean to sums."""
    for k in range(sums.size):
        difference = x[k] - mean[k]
        sums[k] += difference * difference


@inner
def invert(factor: Array, size: int, epsilon: np.float32) -> None:
    """Let the variance, which all values of a group hold, become 1 / sqrt(variance + epsilon)."""
    for start in range(0, factor.size, size):
        factor[start : start + size] = ONE / np.float32(sqrt(factor[start] + epsilon))


@inner
def multiply_by(z: Array, a: Array, b: Array) -> None:
    """Set z = a * b."""
    for k in range(z.size):
        z[k] = a[k] * b[k]


@inner
def apply(y: Array, x: Array, mean: Array, factor: Array, bias: Array) -> None:
    """Set y = (x - mean) * factor + bias."""
    for k in range(y.size):
        y[k] = (x[k] - mean[k]) * factor[k] + bias[k]


@inner
def gather(plain: Array, steep: Array, dy: Array, x: Array, mean: Array, factor: Array) -> None:
    """Add dy to plain, and dy times what x was normalised to, to steep."""
    for k in range(plain.size):
        plain[k] += dy[k]
        steep[k] += dy[k] * ((x[k] - mean[k]) * factor[k])


@inner
def weigh(plain: Array, steep: Array, scale: Array) -> None:
    """Multiply plain and steep by scale."""
    for k in range(scale.size):
        plain[k] *= scale[k]
        steep[k] *= scale[k]


@inner
def prepare(plain: Array, steep: Array, factors: Array, factor: Array, scale: Array) -> None:
    """Set factors = factor * scale, and multiply plain by factor, steep by its square."""
    for k in range(scale.size):
        factors[k] = factor[k] * scale[k]
        plain[k] *= factor[k]
        steep[k] = factor[k] * (factor[k] * steep[k])


@inner
def give(dx: Array, dy: Array, x: Array, mean: Array, factors: Array, steep: Array, plain: Array) -> None:
    """Set dx = dy * factors - (x - mean) * steep - plain."""
    for k in range(dx.size):
        dx[k] = dy[k] * factors[k] - (x[k] - mean[k]) * steep[k] - plain[k]
