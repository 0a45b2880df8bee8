"""Matrix products against double precision."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compute.tree import evaluate_block
from engine.kernels import Array, Backend
from tests.support.backends import each_backend, normal, plane_with

sizes = {
    "G": st.integers(1, 3),
    "M": st.integers(1, 20),
    "K": st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 600])),
    "N": st.integers(1, 100),
    "seed": st.integers(0, 9),
}


def guarded(*shape: int) -> tuple[Array, Array]:
    """Return an array of nan and the larger one, of nan as well, in whose midst it lies."""
    size = int(np.prod(shape))
    around = np.full(size + 64, np.nan, np.float32)
    return around[32 : 32 + size].reshape(shape), around


@each_backend
@settings(max_examples=60)
@given(**sizes)
def test_products(kernels: Backend, G: int, M: int, K: int, N: int, seed: int) -> None:
    a, b = normal(G, M, K, seed=seed), normal(G, K, N, seed=seed + 1)
    (out, around), work = guarded(G, M, N), np.full(G * M * N, np.nan, np.float32)
    kernels.multiply(a, b, out, False, work)
    want = a.astype(float) @ b
    tolerance = 2e-7 * K * np.abs(a).max() * np.abs(b).max()
    np.testing.assert_allclose(out, want, rtol=0, atol=tolerance)
    kernels.multiply(a, b, out, True, work)
    np.testing.assert_allclose(out, 2 * want, rtol=0, atol=2 * tolerance)
    assert np.isnan(around[:32]).all()
    assert np.isnan(around[-32:]).all()


@each_backend
@settings(max_examples=40)
@given(
    T=st.integers(1, 4),
    N=st.integers(1, 20),
    M=st.integers(1, 20),
    O=st.integers(1, 70),
    microbatch=st.integers(1, 8),
    seed=st.integers(0, 9),
)
def test_matrix_gradient(kernels: Backend, T: int, N: int, M: int, O: int, microbatch: int, seed: int) -> None:  # noqa: E741
    a, b = normal(T, N, M, seed=seed), normal(T, N, O, seed=seed + 1)
    levels = (-(-N // microbatch)).bit_length()
    (out, around), (work, beyond) = guarded(M, O), guarded(levels * O * max(M, 16))
    kernels.matrix_gradient(a, b, out, microbatch, work)
    assert np.isnan(beyond[:32]).all()
    assert np.isnan(beyond[-32:]).all()
    np.testing.assert_allclose(out, np.einsum("tnm,tno->mo", a.astype(float), b), rtol=0, atol=4e-5)
    assert np.isnan(around[:32]).all()
    assert np.isnan(around[-32:]).all()
    parts = []
    for first in range(0, N, microbatch):
        part = np.empty_like(out)
        some = slice(first, first + microbatch)
        kernels.matrix_gradient(a[:, some].copy(), b[:, some].copy(), part, microbatch, work)
        parts.append(part)
    pairs = evaluate_block((0, len(parts)), lambda block, _: parts[block[0]], lambda x, y: x + y)
    if kernels.name == "numba":  # to BLAS it is another product
        assert out.tobytes() == pairs.tobytes()


@each_backend
@given(
    h=st.integers(1, 3), w=st.integers(1, 3), N=st.integers(1, 9), C=st.integers(1, 20), microbatch=st.integers(1, 4)
)
def test_bias_gradient(kernels: Backend, h: int, w: int, N: int, C: int, microbatch: int) -> None:
    dy, found = normal(h, w, N * C), np.full(C, np.nan, np.float32)
    work = np.full((-(-N // microbatch)).bit_length() * C, np.nan, np.float32)
    kernels.bias_gradient(plane_with(dy, 1, 1, 2, 3), (1, 2), dy.shape, found, microbatch, work)
    np.testing.assert_allclose(found, dy.reshape(-1, C).sum(0, dtype=float), rtol=0, atol=1e-5)


@each_backend
@given(G=st.integers(1, 2), M=st.integers(1, 40), N=st.integers(1, 40))
def test_transpose(kernels: Backend, G: int, M: int, N: int) -> None:
    a, (out, around) = normal(G, M, N), guarded(G, N, M)
    kernels.transpose(a, out)
    assert np.array_equal(out, a.transpose(0, 2, 1))
    assert np.isnan(around[:32]).all()
    assert np.isnan(around[-32:]).all()
