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
