"""Winograd's transforms against matrices derived here, in double precision; the whole against a sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.kernels import Array, Backend
from tests.support.backends import each_backend, normal, plane_with

# Toom and Cook's algorithm derives the matrices: polynomials of 4 and 3 coefficients are evaluated at six points, of
# which the last is infinity, and B holds the Lagrange polynomials of those points.
POINTS = (0, 1, -1, 2, -2)


def lagrange(x: int) -> NDArray[np.float64]:
    """Return the polynomial that is 0 at all other points, lowest coefficient first."""
    return np.append(np.poly([y for y in POINTS if y != x])[::-1], 0)


def evaluation(count: int) -> NDArray[np.float64]:
    """Return the powers of every point below `count`, [6, count]; at infinity only the highest counts."""
    return np.array([*([x**k for k in range(count)] for x in POINTS), [0] * (count - 1) + [1]], float)


BT = np.array([*map(lagrange, POINTS), np.poly(POINTS)[::-1]])
SCALES = np.array([*(np.prod([x - y for y in POINTS if y != x]) for x in POINTS), 1], float)
AT, G = evaluation(4).T, evaluation(3) / SCALES[:, None]
FILTER_WORK = 4608
tile_counts, lengths = st.integers(1, 4), st.integers(1, 20)


def empty(*shape: int) -> Array:
    return np.full(shape, np.nan, np.float32)


def close(found: Array, want: NDArray[np.floating], tolerance: float = 1e-6) -> None:
    """Assert equality up to `tolerance` times the largest: sums are rounded that cancel."""
    np.testing.assert_allclose(found, want, rtol=0, atol=tolerance * np.abs(want).max())


def tiles_of(x: Array, t: int, s: int) -> NDArray[np.float64]:
    """Return the overlapping 6 x 6 tiles of x [4 t + 2, 4 s + 2, L]: [t, s, 6, 6, L]."""
    return np.array([[x[4 * i : 4 * i + 6, 4 * j : 4 * j + 6] for j in range(s)] for i in range(t)], float)


def side_by_side(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return tiles [t, s, 4, 4, L] as an image [4 t, 4 s, L]."""
    t, s, _, _, L = tiles.shape
    return tiles.transpose(0, 2, 1, 3, 4).reshape(4 * t, 4 * s, L)


def outputs(m: Array) -> NDArray[np.float64]:
    """Return A^T m A for m [6, 6, t, s, L] as an image."""
    return side_by_side(np.einsum("ia,abtsl,jb->tsijl", AT, m.astype(float), AT))


@each_backend
def test_filter(kernels: Backend) -> None:
    w, u = normal(3, 3, 30, 40), empty(6, 6, 30, 40)  # more than one piece
    kernels.winograd_filter(w, u, empty(FILTER_WORK))
    want = np.einsum("ia,abco,jb->ijco", G, w.astype(float), G)
    close(u, want)
    du, dw = normal(6, 6, 30, 40, seed=1), empty(3, 3, 30, 40)
    want = np.einsum("ia,ijco,jb->abco", G, du.astype(float), G)
    kernels.winograd_filter_gradient(du, dw, empty(FILTER_WORK))
    close(dw, want)


@each_backend
@given(t=tile_counts, s=tile_counts, L=lengths)
def test_input_and_gradient(kernels: Backend, t: int, s: int, L: int) -> None:
    x, v, work = normal(4 * t + 2, 4 * s + 2, L), empty(6, 6, t, s, L), empty(36 * t * s * L)
    kernels.winograd_input(x, v, work)
    close(v, np.einsum("ia,tsabl,jb->ijtsl", BT, tiles_of(x, t, s), BT))
    dv, dx = normal(*v.shape, seed=1), empty(*x.shape)
    kernels.winograd_input_gradient(dv, dx, False, work)
    want = np.zeros(x.shape)
    for i in range(t):
        for j in range(s):
            tile = np.einsum("ai,abl,bj->ijl", BT, dv[:, :, i, j].astype(float), BT)
            want[4 * i : 4 * i + 6, 4 * j : 4 * j + 6] += tile
    close(dx, want)
    by_row = np.full_like(dx, 9)  # a row of tiles at a time, as operations may call it
    for i in range(t):
        kernels.winograd_input_gradient(dv[:, :, i : i + 1].copy(), by_row[4 * i : 4 * i + 6], i > 0, work)
    assert np.array_equal(by_row, dx) or kernels.name == "numpy"  # to BLAS it is another product
    close(by_row, want)


@each_backend
@given(h=st.integers(1, 7), w=st.integers(1, 7), N=st.integers(1, 3), C=st.integers(1, 9), start=st.integers(0, 1))
def test_output_and_gradient(kernels: Backend, h: int, w: int, N: int, C: int, start: int) -> None:
    t, s, L = -(-h // 4), -(-w // 4), N * C
    m, bias, work = normal(6, 6, t, s, L), normal(C), empty(41 * t * s * L)
    y = plane_with(np.zeros((h, w, L), np.float32), start, 1, 2, 1)
    kernels.winograd_output(m, bias, y, (start, 2), (h, w), work)
    want = outputs(m)[:h, :w] + np.tile(bias, N)
    close(y, plane_with(want.astype(np.float32), start, 1, 2, 1))
    slope, dm = normal(h, w, L, seed=1), empty(*m.shape)
    kernels.winograd_output_gradient(plane_with(slope, start, 1, 2, 1), (start, 2), (h, w), dm, work)
    whole = np.zeros((4 * t, 4 * s, L))
    whole[:h, :w] = slope
    each = whole.reshape(t, 4, s, 4, L)
    close(dm, np.einsum("ia,tisjl,jb->abtsl", AT, each, AT))


@each_backend
@given(h=st.integers(1, 7), w=st.integers(1, 7), N=st.integers(1, 3), C=st.integers(1, 9), start=st.integers(0, 1))
def test_pool_is_output_then_pool(kernels: Backend, h: int, w: int, N: int, C: int, start: int) -> None:
    t, s, L = -(-h // 4), -(-w // 4), N * C
    rows, columns = -(-h // 2), -(-w // 2)
    m = np.round(normal(6, 6, t, s, L))  # small whole numbers: sums are exact, ties frequent
    bias, work, route = normal(C), empty(41 * t * s * L), np.full((rows, columns, L), 9, np.uint8)
    y = plane_with(np.zeros((rows, columns, L), np.float32), start, 1, 2, 1)
    kernels.winograd_pool(m, bias, y, (start, 2), route, (h, w), work)
    image = np.full((2 * rows, 2 * columns, L), -np.inf)
    image[:h, :w] = outputs(m)[:h, :w]
    windows = image.reshape(rows, 2, columns, 2, L).transpose(0, 2, 4, 1, 3).reshape(rows, columns, L, 4)
    assert np.array_equal(route, windows.argmax(-1))
    want = windows.max(-1).astype(np.float32) + np.tile(bias, N)
    assert np.array_equal(y, plane_with(want, start, 1, 2, 1))
    slope, dm = np.round(normal(rows, columns, L, seed=1)), empty(*m.shape)
    kernels.winograd_pool_gradient(plane_with(slope, start, 1, 2, 1), (start, 2), route, (h, w), dm, work)
    each = (slope[..., None] * (np.arange(4) == windows.argmax(-1)[..., None])).reshape(rows, columns, L, 2, 2)
    whole = np.zeros((4 * t, 4 * s, L))
    whole[: 2 * rows, : 2 * columns] = each.transpose(0, 3, 1, 4, 2).reshape(2 * rows, 2 * columns, L)
    tiles = whole.reshape(t, 4, s, 4, L)
    assert np.array_equal(dm, np.einsum("ia,tisjl,jb->abtsl", AT, tiles, AT))


@each_backend
def test_the_whole_is_a_convolution(kernels: Backend) -> None:
    t, s, N, C, filters = 3, 2, 4, 5, 6
    x, w = normal(4 * t + 2, 4 * s + 2, N * C), normal(3, 3, C, filters, seed=1)
    u, v = empty(6, 6, C, filters), empty(6, 6, t, s, N * C)
    kernels.winograd_filter(w, u, empty(FILTER_WORK))
    kernels.winograd_input(x, v, empty(36 * t * s * N * C))
    m = np.einsum("abtsnc,abco->abtsno", v.reshape(6, 6, t, s, N, C), u).reshape(6, 6, t, s, -1)
    y = empty(4 * t, 4 * s, N * filters)
    kernels.winograd_output(
        np.ascontiguousarray(m), np.zeros(filters, np.float32), y, (0, 0), (4 * t, 4 * s), empty(41 * m.size // 36)
    )
    patches = np.lib.stride_tricks.sliding_window_view(x.reshape(*x.shape[:2], N, C).astype(float), (3, 3), (0, 1))
    want = np.einsum("hwncab,abco->hwno", patches, w.astype(float))
    close(y.reshape(want.shape), want, 4e-6)


@each_backend
@pytest.mark.parametrize("place", list(np.ndindex(6, 6)))
def test_nan_reaches_the_output(kernels: Backend, place: tuple[int, int]) -> None:
    x, v = np.zeros((6, 6, 1), np.float32), empty(6, 6, 1, 1, 1)
    x[place] = np.nan
    kernels.winograd_input(x, v, empty(36))
    y, route = np.zeros((2, 2, 1), np.float32), np.empty((2, 2, 1), np.uint8)
    kernels.winograd_pool(v, np.zeros(1, np.float32), y, (0, 0), route, (4, 4), empty(41))
    assert np.isnan(y).any()
