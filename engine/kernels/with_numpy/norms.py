"""Normalisation of groups of channels in numpy."""

import numpy as np

from engine.kernels.arrays import Array, Place
from engine.kernels.pairs import in_pairs
from engine.kernels.with_numpy.planes import inside


def normalise(
    x: Array,
    scale: Array,
    bias: Array,
    groups: int,
    epsilon: float,
    y: Array,
    place: Place,
    stats: Array,
    work: Array,  # noqa: ARG001
) -> None:
    size, out, (mean, factor) = scale.size // groups, inside(y, place, *x.shape), stats
    np.copyto(mean, _mean(np.add.reduce(x, axis=(0, 1)), size, x))
    np.subtract(x, mean, out=out)
    variance = _mean(np.einsum("hwl,hwl->l", out, out), size, x)
    np.divide(np.float32(1), np.sqrt(variance + np.float32(epsilon)), out=factor)
    np.multiply(out, factor * np.tile(scale, mean.size // scale.size), out=out)
    np.add(out, np.tile(bias, mean.size // bias.size), out=out)


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
    work: Array,  # noqa: ARG001
) -> None:
    (mean, factor), size, d = stats, scale.size // groups, inside(dy, place, *x.shape)
    centred = np.subtract(x, mean, out=dx if dx.size else None)  # without dx the layer is the first: once a micro-batch
    plain, steep = np.add.reduce(d, axis=(0, 1)), np.einsum("hwl,hwl->l", d, centred) * factor
    for total, sums in ((dbias, plain), (dscale, steep)):
        samples = sums.reshape(-1, scale.size)
        parts = [samples[n : n + microbatch].sum(axis=0) for n in range(0, len(samples), microbatch)]
        np.copyto(total, in_pairs(parts, np.add))
    if dx.size == 0:
        return
    scales = np.tile(scale, mean.size // scale.size)
    np.multiply(dx, factor * factor * _mean(steep * scales, size, x), out=dx)
    np.add(dx, factor * _mean(plain * scales, size, x), out=dx)
    np.subtract(d * (factor * scales), dx, out=dx)


def _mean(sums: Array, size: int, x: Array) -> Array:
    """Return for each value of sums [L], which are over pixels of x [h, w, L], the mean of its group of `size`."""
    total = sums.reshape(-1, size).sum(axis=1) / np.float32(x.size // sums.size * size)
    return np.repeat(total, size)
