"""Convolution as one matrix product, exactly: the sums around it, in order."""

import numpy as np

from engine.kernels.pairs import in_pairs
from engine.kernels.table import Array, Place
from engine.kernels.with_numpy.planes import inside, split


def col2im(columns: Array, dx: Array, stride: int) -> None:
    h, w, _, k = columns.shape[:4]
    dx.fill(0)
    for i, j in np.ndindex(h, w):
        dx[i * stride : i * stride + k, j * stride : j * stride + k] += columns[i, j].transpose(1, 2, 0, 3)


def bias_gradient(
    dy: Array,
    place: Place,
    shape: tuple[int, int, int],
    total: Array,
    microbatch: int,
    work: Array,  # noqa: ARG001
) -> None:
    image = split(inside(dy, place, *shape), total.size)

    def chain(first: int) -> Array:
        found = np.zeros_like(total)
        for value in image[:, :, first : first + microbatch].reshape(-1, total.size):
            found += value
        return found

    np.copyto(total, in_pairs([chain(first) for first in range(0, image.shape[2], microbatch)], np.add))
