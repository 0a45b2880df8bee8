"""Normalisation of groups of channels, exactly."""

import numpy as np

from engine.kernels.arrays import Array, Place
from engine.kernels.pairs import in_pairs
from engine.kernels.with_numpy.planes import inside

LANES = 16


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
    L, size = x.shape[2], scale.size // groups
    number = np.float32(x.size // L * size)
    mean = _share(_over_pixels(x), size) / number
    variance = _share(_over_pixels((x - mean) * (x - mean)), size) / number
    factor = np.float32(1) / np.sqrt(variance + np.float32(epsilon))
    scales, biases = (np.tile(a, L // a.size) for a in (scale, bias))
    np.copyto(stats, (mean, factor))
    np.copyto(inside(y, place, *x.shape), (x - mean) * (factor * scales) + biases)


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
    plain, steep = _over_pixels(d), _over_pixels(d * ((x - mean) * factor))
    for total, sums in ((dbias, plain), (dscale, steep)):
        samples = sums.reshape(-1, scale.size)
        parts = [_over_pixels(samples[None, n : n + microbatch]) for n in range(0, len(samples), microbatch)]
        np.copyto(total, in_pairs(parts, np.add))
    if dx.size == 0:
        return
    scales, number = np.tile(scale, plain.size // scale.size), np.float32(x.size // plain.size * size)
    plain = factor * (_share(plain * scales, size) / number)
    steep = factor * (factor * (_share(steep * scales, size) / number))
    np.copyto(dx, d * (factor * scales) - (x - mean) * steep - plain)


def _over_pixels(x: Array) -> Array:
    """Return the sum [L] of x [h, w, L], pixel after pixel."""
    sums = np.zeros(x.shape[2], np.float32)
    for row in x:
        for pixel in row:
            sums += pixel
    return sums


def _share(sums: Array, size: int) -> Array:
    """Return the sum of the group of each value [L]: value k goes to partial sum k mod 16, then these are added."""
    groups = sums.reshape(-1, size)
    lanes = np.zeros((len(groups), min(size, LANES)), np.float32)
    for start in range(0, size, LANES):
        part = groups[:, start : start + LANES]
        lanes[:, : part.shape[1]] += part
    total = np.zeros(len(groups), np.float32)
    for lane in lanes.T:
        total += lane
    return np.repeat(total, size)
