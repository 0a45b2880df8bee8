"""Winograd's transforms against the matrices of Lavin and Gray 2015 in double precision, the whole against a sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.kernels import Array, Backend
from tests.backends import each_backend, normal, plane_with

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], float)  # section 4.1
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], float)
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], float)
tile_counts, lengths = st.integers(1, 4), st.integers(1, 20)


def empty(*shape: int) -> Array:
    return np.full(shape, np.nan, np.float32)


def tiles_of(x: Array, t: int, s: int) -> NDArray[np.float64]:
    """Return the overlapping 4 x 4 tiles of x [2 t + 2, 2 s + 2, L]: [t, s, 4, 4, L]."""
    return np.array([[x[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] for j in range(s)] for i in range(t)], float)


def side_by_side(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return tiles [t, s, 2, 2, L] as an image [2 t, 2 s, L]."""
    t, s, _, _, L = tiles.shape
    return tiles.transpose(0, 2, 1, 3, 4).reshape(2 * t, 2 * s, L)


def outputs(m: Array) -> NDArray[np.float64]:
    """Return A^T m A for m [4, 4, t, s, L] as an image."""
    return side_by_side(np.einsum("ia,abtsl,jb->tsijl", AT, m.astype(float), AT))


@each_backend
def test_filter(kernels: Backend) -> None:
    w, u, ut = normal(3, 3, 5, 7), empty(4, 4, 5, 7), empty(4, 4, 7, 5)
    kernels.winograd_filter(w, u, ut, empty(w.size))
    want = np.einsum("ia,abco,jb->ijco", G, w.astype(float), G)
    np.testing.assert_allclose(u, want, atol=1e-6)
    assert np.array_equal(ut, u.transpose(0, 1, 3, 2))
    du, dw = normal(4, 4, 30, 40, seed=1), empty(3, 3, 30, 40)  # more than one piece
    want = np.einsum("ia,ijco,jb->abco", G, du.astype(float), G)
    kernels.winograd_filter_gradient(du.copy(), dw)
    np.testing.assert_allclose(dw, want, atol=4e-6)


@each_backend
@given(t=tile_counts, s=tile_counts, L=lengths)
def test_input_and_gradient(kernels: Backend, t: int, s: int, L: int) -> None:
    x, v, work = normal(2 * t + 2, 2 * s + 2, L), empty(4, 4, t, s, L), empty(4 * t * (2 * s + 2) * L)
    kernels.winograd_input(x, v, work)
    np.testing.assert_allclose(v, np.einsum("ia,tsabl,jb->ijtsl", BT, tiles_of(x, t, s), BT), atol=4e-6)
    dv, dx = normal(*v.shape, seed=1), empty(*x.shape)
    kernels.winograd_input_gradient(dv, dx, work)
    want = np.zeros(x.shape)
    for i in range(t):
        for j in range(s):
            tile = np.einsum("ai,abl,bj->ijl", BT, dv[:, :, i, j].astype(float), BT)
            want[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += tile
    np.testing.assert_allclose(dx, want, atol=1e-5)


@each_backend
@given(h=st.integers(1, 7), w=st.integers(1, 7), N=st.integers(1, 3), C=st.integers(1, 9), start=st.integers(0, 1))
def test_output_and_gradient(kernels: Backend, h: int, w: int, N: int, C: int, start: int) -> None:
    t, s, L = -(-h // 2), -(-w // 2), N * C
    m, bias, work = normal(4, 4, t, s, L), normal(C), empty(12 * t * s * L)
    y = plane_with(np.zeros((h, w, L), np.float32), start, 1, 2, 1)
    kernels.winograd_output(m, bias, y, (start, 2), (h, w), work)
    want = outputs(m)[:h, :w] + np.tile(bias, N)
    np.testing.assert_allclose(y, plane_with(want.astype(np.float32), start, 1, 2, 1), atol=5e-6)
    slope, dm = normal(h, w, L, seed=1), empty(*m.shape)
    kernels.winograd_output_gradient(plane_with(slope, start, 1, 2, 1), (start, 2), (h, w), dm, work)
    whole = np.zeros((2 * t, 2 * s, L))
    whole[:h, :w] = slope
    each = whole.reshape(t, 2, s, 2, L)
    np.testing.assert_allclose(dm, np.einsum("ia,tisjl,jb->abtsl", AT, each, AT), atol=4e-6)


@each_backend
@given(h=st.integers(1, 7), w=st.integers(1, 7), N=st.integers(1, 3), C=st.integers(1, 9), start=st.integers(0, 1))
def test_pool_is_output_then_pool(kernels: Backend, h: int, w: int, N: int, C: int, start: int) -> None:
    t, s, L = -(-h // 2), -(-w // 2), N * C
    m = np.round(normal(4, 4, t, s, L))  # small whole numbers: sums are exact, ties frequent
    bias, work, route = normal(C), empty(12 * t * s * L), np.full((t, s, L), 9, np.uint8)
    y = plane_with(np.zeros((t, s, L), np.float32), start, 1, 2, 1)
    kernels.winograd_pool(m, bias, y, (start, 2), route, (h, w), work)
    image = np.full((2 * t, 2 * s, L), -np.inf)
    image[:h, :w] = outputs(m)[:h, :w]
    windows = image.reshape(t, 2, s, 2, L).transpose(0, 2, 4, 1, 3).reshape(t, s, L, 4)
    assert np.array_equal(route, windows.argmax(-1))
    want = windows.max(-1).astype(np.float32) + np.tile(bias, N)
    assert np.array_equal(y, plane_with(want, start, 1, 2, 1))
    slope, dm = np.round(normal(t, s, L, seed=1)), empty(*m.shape)
    kernels.winograd_pool_gradient(plane_with(slope, start, 1, 2, 1), (start, 2), route, dm, work)
    each = (slope[..., None] * (np.arange(4) == windows.argmax(-1)[..., None])).reshape(t, s, L, 2, 2)
    assert np.array_equal(dm, np.einsum("ia,tslij,jb->abtsl", AT, each, AT))


@each_backend
def test_the_whole_is_a_convolution(kernels: Backend) -> None:
    t, s, N, C, filters = 3, 2, 4, 5, 6
    x, w = normal(2 * t + 2, 2 * s + 2, N * C), normal(3, 3, C, filters, seed=1)
    u, ut, v = empty(4, 4, C, filters), empty(4, 4, filters, C), empty(4, 4, t, s, N * C)
    kernels.winograd_filter(w, u, ut, empty(w.size))
    kernels.winograd_input(x, v, empty(4 * t * (2 * s + 2) * N * C))
    m = np.einsum("abtsnc,abco->abtsno", v.reshape(4, 4, t, s, N, C), u).reshape(4, 4, t, s, -1)
    y = empty(2 * t, 2 * s, N * filters)
    kernels.winograd_output(
        np.ascontiguousarray(m), np.zeros(filters, np.float32), y, (0, 0), (2 * t, 2 * s), empty(12 * m.size // 16)
    )
    patches = np.lib.stride_tricks.sliding_window_view(x.reshape(*x.shape[:2], N, C).astype(float), (3, 3), (0, 1))
    want = np.einsum("hwncab,abco->hwno", patches, w.astype(float))
    np.testing.assert_allclose(y.reshape(want.shape), want, atol=2e-5)


@each_backend
@pytest.mark.parametrize("place", list(np.ndindex(4, 4)))
def test_nan_reaches_the_output(kernels: Backend, place: tuple[int, int]) -> None:
    x, v = np.zeros((4, 4, 1), np.float32), empty(4, 4, 1, 1, 1)
    x[place] = np.nan
    kernels.winograd_input(x, v, empty(16))
    y, route = np.zeros((1, 1, 1), np.float32), np.empty((1, 1, 1), np.uint8)
    kernels.winograd_pool(v, np.zeros(1, np.float32), y, (0, 0), route, (2, 2), empty(12))
    assert np.isnan(y)
