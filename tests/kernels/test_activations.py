"""Activations that need exp, and means of windows: against scalar formulas in double precision."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Array, Backend
from tests.support.backends import each_backend, floats, normal, plane_with
from tests.support.reference import average_pool

X = np.concatenate([normal(300) * 4, floats(0, 1e-30, -1e-30, 1e-4, -1e-4, -87, 88, -104, -200, 200, 1e30, -1e30)])
DY = normal(X.size, seed=1)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v)) if v > -700 else 0.0


def close(found: Array, wanted: Callable[[float], float], relative: float = 5e-7) -> None:
    """Assert that every value is `wanted` of X, but for rounding and denormals."""
    np.testing.assert_allclose(found, [wanted(v) for v in X.tolist()], rtol=relative, atol=2e-38)


@each_backend
def test_tanh(kernels: Backend) -> None:
    y, dx = np.empty((2, X.size), np.float32)
    kernels.tanh(X, y)
    close(y, math.tanh)
    kernels.tanh_gradient(y, DY, dx)
    np.testing.assert_allclose(dx, DY * (1 - np.tanh(X.astype(float)) ** 2), atol=3e-7)


@each_backend
def test_sigmoid(kernels: Backend) -> None:
    y, dx = np.empty((2, X.size), np.float32)
    kernels.sigmoid(X, y)
    close(y, sigmoid)
    kernels.sigmoid_gradient(y, DY, dx)
    np.testing.assert_allclose(dx, DY * [sigmoid(v) * sigmoid(-v) for v in X.tolist()], atol=5e-7)


@each_backend
def test_silu(kernels: Backend) -> None:
    y, dx = np.empty((2, X.size), np.float32)
    kernels.silu(X, y)
    np.testing.assert_allclose(y, [v * sigmoid(v) for v in X.tolist()], rtol=5e-7, atol=1e-36)
    kernels.silu_gradient(X, DY, dx)
    slopes = [sigmoid(v) + v * sigmoid(v) * sigmoid(-v) for v in X.tolist()]
    np.testing.assert_allclose(dx, DY * slopes, rtol=1e-6, atol=5e-7)


@each_backend
def test_softplus(kernels: Backend) -> None:
    y, slope = np.empty((2, X.size), np.float32)
    kernels.softplus(X, y, slope)
    close(y, lambda v: max(v, 0.0) + math.log1p(math.exp(-abs(v))))
    close(slope, sigmoid)


@each_backend
def test_leaky_relu(kernels: Backend) -> None:
    y, dx = np.empty((2, X.size), np.float32)
    kernels.leaky_relu(X, y, 0.3)
    assert y.tolist() == [v if v > 0 else float(np.float32(0.3) * np.float32(v)) for v in X.tolist()]
    kernels.leaky_relu_gradient(X, DY, dx, 0.3)
    slopes = np.where(X > 0, np.float32(1), np.float32(0.3))
    assert np.array_equal(dx, DY * slopes)


@each_backend
def test_nan_passes(kernels: Backend) -> None:
    x, y, z = floats(1, np.nan, -1), np.empty(3, np.float32), np.empty(3, np.float32)
    wanted = [False, True, False]
    for activation in (kernels.tanh, kernels.sigmoid, kernels.silu, lambda x, y: kernels.leaky_relu(x, y, 0.1)):
        activation(x, y)
        assert np.isnan(y).tolist() == wanted
    kernels.softplus(x, y, z)
    assert np.isnan(y).tolist() == np.isnan(z).tolist() == wanted


sizes = st.integers(1, 7)


@each_backend
@given(H=sizes, W=sizes, L=st.integers(1, 4), size=st.integers(1, 8), start=st.integers(0, 2))
def test_average_pool(kernels: Backend, H: int, W: int, L: int, size: int, start: int) -> None:
    x, (h, w) = normal(H, W, L), (-(-H // size), -(-W // size))
    want, back = average_pool(x.astype(float).transpose(2, 0, 1)[None], size)
    y = plane_with(np.zeros((h, w, L), np.float32), start, 1, 2, 1)
    kernels.average_pool(x, y, (start, 2), size)
    image = y[start : start + h, start : start + w, 2 : 2 + L].copy()
    np.testing.assert_allclose(image, want[0].transpose(1, 2, 0), atol=5e-7)
    assert np.array_equal(y, plane_with(image, start, 1, 2, 1))
    dy, dx = normal(h, w, L, seed=1), np.full_like(x, 9)
    kernels.average_pool_gradient(plane_with(dy, start, 1, 2, 1), (start, 2), dx, size)
    np.testing.assert_allclose(dx, back(dy.astype(float).transpose(2, 0, 1)[None])[0].transpose(1, 2, 0), rtol=2e-7)
