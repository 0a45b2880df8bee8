"""Losses against double precision, and at the limits of float32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Backend
from tests.support.backends import each_backend, floats, ints, normal
from tests.support.reference import loss_of


@each_backend
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
@given(N=st.integers(1, 5), K=st.integers(1, 30), seed=st.integers(0, 99), spread=st.sampled_from([0.1, 1, 30]))
def test_loss_and_gradient(kernels: Backend, loss: str, N: int, K: int, seed: int, spread: float) -> None:
    z = normal(N, K, seed=seed) * np.float32(spread)
    labels = np.random.default_rng(seed).integers(0, K, N).astype(np.int32)
    losses, dz = np.empty(N), np.empty_like(z)
    correct = getattr(kernels, loss)(z, labels, losses, dz)
    want, slope = loss_of(z.astype(float), labels, loss)
    assert losses.sum() == pytest.approx(want, rel=1e-6, abs=1e-6 * N)
    np.testing.assert_allclose(dz, slope, rtol=2e-6, atol=2e-7)
    assert correct == sum(row.argmax() == label for row, label in zip(z, labels, strict=True))


@each_backend
def test_cross_entropy_does_not_overflow(kernels: Backend) -> None:
    z = floats([1e30, 0, -1e30], [-3e38, 3e38, 0], [88, 89, 90])
    losses, dz = np.empty(3), np.empty_like(z)
    with np.errstate(all="ignore"):
        assert kernels.softmax_cross_entropy(z, ints(0, 1, 2), losses, dz) == 3
    np.testing.assert_allclose(losses, [0, 0, np.log(1 + np.exp(-1) + np.exp(-2))], atol=1e-6)
    assert np.isfinite(dz).all()


@each_backend
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
def test_ties_go_to_the_first_and_nan_is_never_correct(kernels: Backend, loss: str) -> None:
    z = floats([1, 1], [1, 1], [np.nan, 0], [0, np.nan])
    losses, dz = np.empty(4), np.empty_like(z)
    with np.errstate(all="ignore"):
        assert getattr(kernels, loss)(z, ints(0, 1, 0, 1), losses, dz) == 1
    assert np.isnan(losses).tolist() == [False, False, True, True]


@each_backend
@given(N=st.integers(1, 5), T=st.integers(1, 30), seed=st.integers(0, 99), spread=st.sampled_from([1e-3, 1, 1e15]))
def test_squared_error_of_values(kernels: Backend, N: int, T: int, seed: int, spread: float) -> None:
    z, values = normal(N, T, seed=seed) * np.float32(spread), normal(N, T, seed=seed + 100) * np.float32(spread)
    losses, dz = np.empty(N), np.empty_like(z)
    kernels.squared_error_of_values(z, values, losses, dz)
    want, slope = loss_of(z.astype(float), values.astype(float), "mean_squared_error")
    assert losses.sum() == pytest.approx(want, rel=1e-6)
    np.testing.assert_allclose(dz, slope, rtol=1e-6, atol=1e-6 * spread)


@each_backend
def test_the_square_of_an_error_does_not_overflow_and_nan_reaches_the_loss(kernels: Backend) -> None:
    z, values = floats([3e38], [np.nan], [1]), floats([0], [0], [np.inf])
    losses, dz = np.empty(3), np.empty_like(z)
    with np.errstate(all="ignore"):
        kernels.squared_error_of_values(z, values, losses, dz)
    assert losses[0] == pytest.approx(9e76)
    assert np.isnan(losses[1])
    assert np.isinf(losses[2])
