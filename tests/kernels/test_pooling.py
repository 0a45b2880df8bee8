"""Max-pooling against a scalar loop: odd sizes, partial windows, ties, NaN."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.kernels import Array, Backend
from tests.support.backends import each_backend, normal, plane_with

sizes = st.integers(1, 7)


def windows(H: int, W: int, size: int) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield row and column of every window, and the places in it in reading order."""
    for i in range(-(-H // size)):
        for j in range(-(-W // size)):
            rows, columns = range(i * size, min(H, (i + 1) * size)), range(j * size, min(W, (j + 1) * size))
            yield i, j, [(a, b) for a in rows for b in columns]


def pooled(x: Array, size: int) -> tuple[Array, NDArray[Any]]:
    """Return the maxima [h, w, L] of x [H, W, L] and where each was first found [h, w, L, 2]."""
    H, W, L = x.shape
    y = np.empty((-(-H // size), -(-W // size), L), np.float32)
    where = np.empty((*y.shape, 2), int)
    for i, j, places in windows(H, W, size):
        for k in range(L):
            best = places[0]
            for place in places[1:]:
                if x[place][k] > x[best][k]:
                    best = place
            y[i, j, k], where[i, j, k] = x[best][k], best
    return y, where


@each_backend
@given(H=sizes, W=sizes, L=st.integers(1, 4), size=st.integers(1, 4), start=st.integers(0, 2), seed=st.integers(0, 9))
def test_pool_and_gradient(kernels: Backend, H: int, W: int, L: int, size: int, start: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(0, 3, (H, W, L)).astype(np.float32)  # few values: many ties
    want, where = pooled(x, size)
    y, route = plane_with(np.zeros_like(want), start, 1, 2, 1), np.empty(want.shape, np.uint8)
    kernels.max_pool(x, y, (start, 2), route, size, np.empty_like(route))
    assert np.array_equal(y, plane_with(want, start, 1, 2, 1))
    slope = normal(*want.shape)
    dx, want_dx = np.full_like(x, 9), np.zeros_like(x)
    kernels.max_pool_gradient(
        plane_with(slope, start, 1, 2, 1), (start, 2), route, dx, size, np.empty(route.shape, bool)
    )
    for place in np.ndindex(*want.shape):
        a, b = where[place]
        want_dx[a, b, place[2]] += slope[place]
    assert np.array_equal(dx, want_dx)


@each_backend
@pytest.mark.parametrize(("size", "number"), [(16, np.uint8), (17, np.uint16), (256, np.uint16), (257, np.uint32)])
def test_the_last_place_of_a_large_window(kernels: Backend, size: int, number: type[np.unsignedinteger[Any]]) -> None:
    x = np.zeros((size, size, 1), np.float32)
    x[-1, -1] = 1
    y, route = np.zeros((1, 1, 1), np.float32), np.empty((1, 1, 1), number)
    kernels.max_pool(x, y, (0, 0), route, size, np.empty_like(route))
    assert route.item() == size**2 - 1
    dx = np.empty_like(x)
    kernels.max_pool_gradient(np.full_like(y, 3), (0, 0), route, dx, size, np.empty(route.shape, bool))
    assert np.array_equal(dx, 3 * x)


@each_backend
@pytest.mark.parametrize("bad", range(4))
def test_nan_wins(kernels: Backend, bad: int) -> None:
    x = np.zeros((2, 2, 1), np.float32)
    x[bad // 2, bad % 2] = np.nan
    y, route = np.zeros((1, 1, 1), np.float32), np.empty((1, 1, 1), np.uint8)
    kernels.max_pool(x, y, (0, 0), route, 2, np.empty_like(route))
    assert np.isnan(y)
