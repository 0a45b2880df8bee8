"""Patches against their definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Backend
from tests.support.backends import each_backend, normal


@each_backend
@given(
    h=st.integers(1, 4),
    w=st.integers(1, 4),
    N=st.integers(1, 3),
    C=st.integers(1, 3),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    spare=st.integers(0, 2),
)
def test_patches_and_their_transpose(
    kernels: Backend, h: int, w: int, N: int, C: int, kernel: int, stride: int, spare: int
) -> None:
    x = normal((h - 1) * stride + kernel + spare, (w - 1) * stride + kernel + spare, N, C)
    columns = np.empty((h, w, N, kernel, kernel, C), np.float32)
    kernels.im2col(x, columns, stride)
    weight, want = normal(*columns.shape, seed=1), np.zeros(x.shape)
    for i, j, n, a, b, c in np.ndindex(*columns.shape):
        assert columns[i, j, n, a, b, c] == x[i * stride + a, j * stride + b, n, c]
        want[i * stride + a, j * stride + b, n, c] += weight[i, j, n, a, b, c]
    dx = np.full_like(x, 9)
    kernels.col2im(weight, dx, stride)
    np.testing.assert_allclose(dx, want, atol=1e-5)


@each_backend
@given(H=st.integers(1, 8), W=st.integers(1, 8), N=st.integers(1, 3), kernel=st.integers(1, 5), data=st.data())
def test_stem_patches(kernels: Backend, H: int, W: int, N: int, kernel: int, data: st.DataObject) -> None:
    padding = data.draw(st.integers(max(0, -((min(H, W) - kernel) // 2)) if min(H, W) < kernel else 0, kernel))
    x = normal(N, H, W)
    h, w = (-(-(size + 2 * padding - kernel + 1) // 2) for size in (H, W))
    patches = np.empty((kernel, kernel, 2, 2, h, w, N), np.float32)
    work = np.zeros((2 * h + kernel - 1, 2, w + kernel // 2, N), np.float32)
    padded = np.pad(x, ((0, 0), (padding, padding + 1), (padding, padding + 1)))
    for _ in range(2):  # the scratch is as good the second time
        kernels.stem_patches(x, patches, padding, work)
        for a, b, q, r, i, j in np.ndindex(*patches.shape[:-1]):
            assert np.array_equal(patches[a, b, q, r, i, j], padded[:, 2 * i + q + a, 2 * j + r + b])
