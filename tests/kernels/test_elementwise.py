"""Activations and biases against scalar formulas in double precision."""

from math import erf, exp, pi, sqrt

import numpy as np
import pytest

from engine.kernels import Backend
from tests.support.backends import each_backend, floats, normal, plane_with

X = np.concatenate([normal(200) * 3, floats(0, -0.0, 1e-30, -40, 40, 1e30, np.inf)])


@each_backend
def test_relu(kernels: Backend) -> None:
    y, mask = np.empty_like(X), np.empty(X.shape, bool)
    kernels.relu(X, y, mask)
    assert y.tolist() == [max(v, 0) for v in X.tolist()]
    assert mask.tolist() == [v > 0 for v in X.tolist()]
    dx = np.empty_like(X)
    kernels.relu_gradient(mask, normal(X.size), dx)
    assert dx.tolist() == [d if v > 0 else 0 for v, d in zip(X.tolist(), normal(X.size).tolist(), strict=True)]


@each_backend
def test_gelu_is_exact_to_rounding(kernels: Backend) -> None:
    x, dy = X[np.abs(X) < 1e3], normal(int((np.abs(X) < 1e3).sum()))
    y, phi, dx = (np.empty_like(x) for _ in range(3))
    kernels.gelu(x, y, phi)
    kernels.gelu_gradient(x, phi, dy, dx)
    for k, v in enumerate(x.tolist()):
        cdf = (1 + erf(v / sqrt(2))) / 2
        assert phi[k] == pytest.approx(cdf, abs=1.5e-7)
        assert y[k] == pytest.approx(v * cdf, abs=1.5e-7 * max(1, abs(v)))
        slope = cdf + v * exp(-v * v / 2) / sqrt(2 * pi)
        assert dx[k] == pytest.approx(dy[k] * slope, abs=5e-7 * max(1, abs(dy[k].item())))


@each_backend
def test_nan_passes(kernels: Backend) -> None:
    x, y = floats(1, np.nan, -1), np.empty(3, np.float32)
    kernels.relu(x, y, np.empty(3, bool))
    assert np.isnan(y).tolist() == [False, True, False]
    kernels.gelu(x, y, np.empty(3, np.float32))
    assert np.isnan(y).tolist() == [False, True, False]


@each_backend
def test_bias_and_its_gradient(kernels: Backend) -> None:
    x, bias = normal(3, 2, 4 * 5), normal(5, seed=1)
    y = plane_with(np.zeros_like(x), start=1, extra=2, first=10, more=5)
    kernels.add_bias(x, bias, y, (1, 10))
    image = (x.reshape(3, 2, 4, 5) + bias).reshape(x.shape)
    assert np.array_equal(y, plane_with(image, start=1, extra=2, first=10, more=5))
    total = np.empty(5, np.float32)
    kernels.bias_gradient(y, (1, 10), x.shape, total, 4, np.empty(5, np.float32))
    np.testing.assert_allclose(total, image.astype(float).reshape(-1, 5).sum(0), atol=1e-5)
