"""Convolution as one matrix product, exactly: the sums around it, in order."""

import numpy as np

from engine.kernels.pairs import in_pairs
from engine.kernels.table import Array, Place, Size
from engine.kernels.with_numpy.planes import inside, split


def col2im(columns: Array, dx: Array, stride: Size, origin: Size, more: bool) -> None:
    h, w, _, rows, across = columns.shape[:5]
    if not more:
        dx.fill(0)
    for i, j in np.ndindex(h, w):
        top, left = origin[0] + i * stride[0], origin[1] + j * stride[1]
        dx[top : top + rows, left : left + across] += columns[i, j].transpose(1, 2, 0, 3)


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
