"""The first convolution, on images of one channel, in numpy."""

import numpy as np

from engine.kernels.table import Array


def stem_patches(x: Array, patches: Array, padding: int, work: Array) -> None:
    kernel, (h, w, _) = len(patches), patches.shape[4:]
    H = x.shape[1]
    # Even and odd columns apart first, so that what follows copies runs of w * N values.
    for parity in (0, 1):
        skip = (parity - padding) % 2
        columns = x[:, :, skip::2].transpose(1, 2, 0)
        left = (skip + padding) // 2
        work[padding : padding + H, parity, left : left + columns.shape[1]] = columns
    for a, b, q, r in np.ndindex(kernel, kernel, 2, 2):
        top, left = a + q, (b + r) // 2
        patches[a, b, q, r] = work[top : top + 2 * h - 1 : 2, (b + r) % 2, left : left + w]
