"""Convolution tap by tap against its definition, in double precision."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Backend
from tests.support.backends import each_backend, normal

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@each_backend
@given(
    window=pairs,
    size=pairs,
    origin=pairs,
    spare=pairs,
    N=st.integers(1, 5),
    C=st.one_of(st.integers(1, 9), st.sampled_from([16, 33, 300])),
    O=st.one_of(st.integers(1, 9), st.sampled_from([32, 50, 300])),
    microbatch=st.integers(1, 5),
)
def test_convolution_and_its_gradients(
    kernels: Backend,
    window: tuple[int, int],
    size: tuple[int, int],
    origin: tuple[int, int],
    spare: tuple[int, int],
    N: int,
    C: int,
    O: int,  # noqa: E741 - as in the table
    microbatch: int,
) -> None:
    edges = [origin[k] + size[k] + window[k] + spare[k] - 2 for k in range(2)]
    x, filters, dy = normal(*edges, N, C), normal(*window, C, O, seed=1), normal(*size, N, O, seed=2)
    work = np.full(
        max(size[1] * N * max(C, O), (-(-N // microbatch)).bit_length() * O * max(16, C)), np.nan, np.float32
    )
    y, dx, dfilters = (np.full_like(array, np.nan) for array in (dy, x, filters))
    turned = np.ascontiguousarray(filters.transpose(3, 0, 1, 2))
    kernels.convolve(x, filters, y, origin, work)
    kernels.convolve_input_gradient(dy, turned, dx, origin, work)
    kernels.convolve_filter_gradient(x, dy, dfilters, origin, microbatch, work)

    want_y, want_dx, want_dfilters = (np.zeros(array.shape) for array in (y, x, filters))
    for a, b in np.ndindex(window):
        met = np.s_[origin[0] + a : origin[0] + a + size[0], origin[1] + b : origin[1] + b + size[1]]
        want_y += x[met].astype(float) @ filters[a, b]
        want_dx[met] += dy.astype(float) @ filters[a, b].T
        want_dfilters[a, b] = np.einsum("hwnc,hwno->co", x[met].astype(float), dy)
    for found, want in ((y, want_y), (dx, want_dx), (dfilters, want_dfilters)):
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-3)
