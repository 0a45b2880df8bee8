"""Patches against their definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Backend
from tests.support.backends import each_backend, normal

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@each_backend
@given(size=pairs, N=st.integers(1, 3), C=st.integers(1, 3), kernel=pairs, stride=pairs, spare=pairs, origin=pairs)
def test_patches_and_their_transpose(
    kernels: Backend,
    size: tuple[int, int],
    N: int,
    C: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    spare: tuple[int, int],
    origin: tuple[int, int],
) -> None:
    edges = [origin[k] + (size[k] - 1) * stride[k] + kernel[k] + spare[k] - 1 for k in range(2)]
    x = normal(*edges, N, C)
    columns = np.empty((*size, N, *kernel, C), np.float32)
    kernels.im2col(x, columns, stride, origin)
    weight, want = normal(*columns.shape, seed=1), np.zeros(x.shape)
    for i, j, n, a, b, c in np.ndindex(*columns.shape):
        place = origin[0] + i * stride[0] + a, origin[1] + j * stride[1] + b, n, c
        assert columns[i, j, n, a, b, c] == x[place]
        want[place] += weight[i, j, n, a, b, c]
    dx = np.full_like(x, 9)
    kernels.col2im(weight, dx, stride, origin, False)
    np.testing.assert_allclose(dx, want, atol=1e-5)
    kernels.col2im(weight, dx, stride, origin, True)
    np.testing.assert_allclose(dx, 2 * want, atol=2e-5)
