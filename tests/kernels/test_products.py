"""Matrix products against double precision."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels import Array, Backend
from tests.support.backends import each_backend, normal

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
    first = out.copy()
    kernels.multiply(a, b, out, True, work)
    np.testing.assert_allclose(out, 2 * want, rtol=0, atol=2 * tolerance)
    assert np.isnan(around[:32]).all()
    assert np.isnan(around[-32:]).all()
    by_columns = np.full_like(out, np.nan)
    kernels.multiply_columns(a.transpose(0, 2, 1).copy(), b, by_columns, False, work)
    np.testing.assert_allclose(by_columns, want, rtol=0, atol=tolerance)
    assert np.array_equal(by_columns, first) or kernels.name == "numpy"
