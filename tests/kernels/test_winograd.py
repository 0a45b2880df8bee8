"""Winograd's convolution against the direct sum in double precision: all of it, and what each micro-batch adds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.compute.tree import evaluate_block
from engine.kernels import Array, Backend
from tests.support.backends import each_backend, normal, plane_with

# Toom and Cook's algorithm derives the matrix: polynomials of 3 coefficients are evaluated at six points, of which the
# last is infinity, each divided by what Lagrange's polynomial of the point is there.
POINTS = (0, 1, -1, 2, -2)
SCALES = np.array([*(np.prod([x - y for y in POINTS if y != x]) for x in POINTS), 1], float)
G = np.array([*([x**k for k in range(3)] for x in POINTS), [0, 0, 1]], float) / SCALES[:, None]

sizes = {
    "h": st.integers(1, 9),
    "w": st.integers(1, 9),
    "N": st.integers(1, 11),
    "C": st.integers(1, 18),
    "filters": st.sampled_from([1, 2, 5, 17, 33]),
    "start": st.integers(0, 1),
    "microbatch": st.integers(1, 6),
    "seed": st.integers(0, 99),
}


def empty(*shape: int) -> Array:
    return np.full(shape, np.nan, np.float32)


def apart(rows: int, columns: int) -> Array:
    """Return the points [36, rows, columns] of a filter as they are in a program: not next to each other."""
    return empty(36, rows + 1, columns)[:, :rows]


def close(found: Array, want: NDArray[np.floating], tolerance: float = 1e-5) -> None:
    """Assert equality up to `tolerance` times the largest: sums are rounded that cancel."""
    np.testing.assert_allclose(found, want, rtol=0, atol=tolerance * np.abs(want).max(initial=0) + 1e-30)


class Site:
    """A convolution of N images, one pixel larger on each side than what it puts out, and the buffers it works in."""

    def __init__(
        self, kernels: Backend, size: tuple[int, int], N: int, C: int, filters: int, microbatch: int, seed: int = 0
    ) -> None:
        self.kernels, self.size, self.N, self.microbatch = kernels, size, N, microbatch
        t, s = -(-size[0] // 4), -(-size[1] // 4)
        self.x = np.zeros((4 * t + 2, 4 * s + 2, N * C + seed % 20), np.float32)
        self.x[: size[0] + 2, : size[1] + 2, : N * C] = np.round(2 * normal(size[0] + 2, size[1] + 2, N * C, seed=seed))
        self.filter, self.bias = np.round(2 * normal(3, 3, C, filters, seed=seed + 1)), normal(filters)
        self.u, size_of_work = apart(C, filters), kernels.winograd_work((t, s), N, C, filters, microbatch)
        self.work, self.beyond = np.split(empty(size_of_work + 4096), [size_of_work])
        kernels.winograd_filter(self.filter, self.u.reshape(6, 6, C, filters))

    def image(self) -> NDArray[np.float64]:
        """Return what the convolution puts out, by the direct sum: [h, w, N, O]."""
        (h, w), C = self.size, self.u.shape[1]
        samples = self.x[:, :, : self.N * C].reshape(*self.x.shape[:2], self.N, C).astype(float)
        image = np.zeros((h, w, self.N, self.bias.size))
        for a, b in np.ndindex(3, 3):
            image += samples[a : a + h, b : b + w] @ self.filter[a, b].astype(float)
        return image

    def forward(self, route: NDArray[np.uint8], start: int) -> Array:
        """Return a plane with the result, zeros where it was before."""
        h, w = route.shape[:2] if route.size else self.size
        y = plane_with(np.zeros((h, w, self.N * self.bias.size), np.float32), start, 1, 2, 1)
        self.kernels.winograd(self.x, self.N, self.u, self.bias, y, (start, 2), route, self.size, self.work)
        return y

    def backward(self, dy: Array, route: NDArray[np.uint8], start: int) -> tuple[Array, Array]:
        """Return the gradients of the filter and of x; assert that without the latter the former is the same."""
        plane, ut = plane_with(dy, start, 1, 2, 1), apart(*self.u.shape[:0:-1])
        ut[...] = self.u.transpose(0, 2, 1)
        found = []
        for dx in (empty(*self.x.shape), np.empty((0, 0, 0), np.float32)):
            self.work[:] = np.nan
            dw = empty(*self.filter.shape)
            given_ = self.x, self.N, plane, (start, 2), route, self.size, ut, dx, dw, self.microbatch, self.work
            self.kernels.winograd_gradient(*given_)
            found.append((dw, dx))
        assert np.isnan(self.beyond).all()
        assert found[0][0].tobytes() == found[1][0].tobytes()
        return found[0][0], found[0][1][:, :, : self.N * self.u.shape[1]]

    def gradients(self, slope: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both by direct sums; `slope` [h, w, N, O] is that of the convolution's outputs."""
        (h, w), C = self.size, self.u.shape[1]
        samples = self.x[:, :, : self.N * C].reshape(*self.x.shape[:2], self.N, C).astype(float)
        dw, dx = np.zeros(self.filter.shape), np.zeros(samples.shape)
        for a, b in np.ndindex(3, 3):
            dw[a, b] = np.einsum("hwnc,hwno->co", samples[a : a + h, b : b + w], slope)
            dx[a : a + h, b : b + w] += slope @ self.filter[a, b].T.astype(float)
        return dw, dx.reshape(*self.x.shape[:2], -1)


@each_backend
def test_filter(kernels: Backend) -> None:
    w, u = normal(3, 3, 30, 40), apart(30, 40).reshape(6, 6, 30, 40)
    kernels.winograd_filter(w, u)
    close(u, np.einsum("ia,abco,jb->ijco", G, w.astype(float), G), 1e-6)


@each_backend
@settings(max_examples=40)
@given(**sizes)
def test_convolution(
    kernels: Backend, h: int, w: int, N: int, C: int, filters: int, start: int, microbatch: int, seed: int
) -> None:
    site, no_route = Site(kernels, (h, w), N, C, filters, microbatch, seed), np.empty((0, 0, 0), np.uint8)
    want = (site.image() + site.bias).reshape(h, w, -1)
    close(site.forward(no_route, start), plane_with(want.astype(np.float32), start, 1, 2, 1))
    dy = np.round(normal(h, w, N * filters, seed=seed + 2))
    for found, gradient in zip(
        site.backward(dy, no_route, start), site.gradients(dy.reshape(h, w, N, -1).astype(float)), strict=True
    ):
        close(found, gradient)


@each_backend
@settings(max_examples=40)
@given(**sizes)
def test_convolution_and_pool(
    kernels: Backend, h: int, w: int, N: int, C: int, filters: int, start: int, microbatch: int, seed: int
) -> None:
    site, rows, columns = Site(kernels, (h, w), N, C, filters, microbatch, seed), -(-h // 2), -(-w // 2)
    route = np.full((rows, columns, N * filters), 9, np.uint8)
    y = site.forward(route, start)
    image = np.full((2 * rows, 2 * columns, N, filters), -np.inf)
    image[:h, :w] = site.image()
    windows = image.reshape(rows, 2, columns, 2, -1).transpose(0, 2, 4, 1, 3).reshape(rows, columns, -1, 4)
    want = (windows.max(-1) + np.tile(site.bias, N)).astype(np.float32)
    close(y, plane_with(want, start, 1, 2, 1))
    # The outputs are whole numbers, so that one that is chosen though another is the largest is off by 1 or more.
    chosen = np.take_along_axis(windows, route[..., None].astype(int), -1)[..., 0]
    assert np.array_equal(chosen, windows.max(-1))
    dy = np.round(normal(rows, columns, N * filters, seed=seed + 2))
    slopes = np.zeros((rows, columns, N * filters, 4))
    np.put_along_axis(slopes, route[..., None].astype(int), dy[..., None], -1)
    whole = slopes.reshape(rows, columns, N * filters, 2, 2).transpose(0, 3, 1, 4, 2).reshape(image.shape)
    for found, gradient in zip(site.backward(dy, route, start), site.gradients(whole[:h, :w]), strict=True):
        close(found, gradient)


@each_backend
@pytest.mark.parametrize(
    ("size", "N", "channels", "microbatch"),
    [((4, 4), 27, (9, 40), 4), ((11, 11), 27, (9, 40), 4), ((4, 8), 50, (40, 45), 3)],  # the last in several pieces
)
def test_sums_of_micro_batches_are_added_in_pairs(
    kernels: Backend, size: tuple[int, int], N: int, channels: tuple[int, int], microbatch: int
) -> None:
    """A filter's gradient is that of each micro-batch, added as the tree over them does."""
    (C, O), no_route = channels, np.empty((0, 0, 0), np.uint8)  # noqa: E741
    site, dy = Site(kernels, size, N, C, O, microbatch), normal(*size, N * O)
    found, _ = site.backward(dy, no_route, 0)
    parts = []
    for first in range(0, N, microbatch):
        n = min(microbatch, N - first)
        part = Site(kernels, size, n, C, O, microbatch)
        part.x = np.ascontiguousarray(site.x[:, :, first * C : (first + n) * C])
        parts.append(part.backward(np.ascontiguousarray(dy[:, :, first * O : (first + n) * O]), no_route, 0)[0])
    pairs = evaluate_block((0, len(parts)), lambda block, _: parts[block[0]], lambda x, y: x + y)
    assert found.tobytes() == pairs.tobytes()


@each_backend
@pytest.mark.parametrize("microbatch", [2, 5, 16])  # so that a cache of 1 MB holds three rows of tiles, one, none
def test_a_filter_too_large_for_all_rows_of_tiles_at_once(kernels: Backend, microbatch: int) -> None:
    site, no_route = Site(kernels, (11, 11), 9, 16, 240, microbatch), np.empty((0, 0, 0), np.uint8)
    dy = np.round(normal(11, 11, 9 * 240))
    wanted = site.gradients(dy.reshape(11, 11, 9, 240).astype(float))
    for found, gradient in zip(site.backward(dy, no_route, 0), wanted, strict=True):
        close(found, gradient)


@each_backend
def test_tied_windows_take_the_first(kernels: Backend) -> None:
    site = Site(kernels, (5, 5), 3, 2, 17, 3)
    site.x[:] = 0
    route = np.full((3, 3, 3 * 17), 9, np.uint8)
    site.forward(route, 0)
    assert not route.any()


@each_backend
@pytest.mark.parametrize("place", list(np.ndindex(6, 6)))
def test_nan_reaches_the_output(kernels: Backend, place: tuple[int, int]) -> None:
    site, route = Site(kernels, (4, 4), 1, 1, 1, 1), np.empty((2, 2, 1), np.uint8)
    site.x[place] = np.nan
    assert np.isnan(site.forward(route, 0)[:2, :2, 2]).any()
