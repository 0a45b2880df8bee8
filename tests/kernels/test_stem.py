"""The first convolution with its pool against its definition: small whole numbers: exact sums, and many ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.kernels import Array, Backend
from tests.support.backends import each_backend, normal, plane_with


def whole(low: int, high: int, *shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.float32)


class Site:
    """A stem of N images [H, W], with the buffers that it works in."""

    def __init__(
        self, kernels: Backend, x: Array, filters: Array, bias: Array, padding: int, start: int = 0, microbatch: int = 1
    ) -> None:
        self.kernels, self.x, self.filters, self.bias, self.padding = kernels, x, filters, bias, padding
        (N, H, W), (k, _, O) = x.shape, filters.shape  # noqa: E741 - as in the table
        self.size = H + 2 * padding - k + 1, W + 2 * padding - k + 1
        h, w = (-(-edge // 2) for edge in self.size)
        self.route, self.microbatch = np.full((h, w, N * O), 9, np.uint8), microbatch
        self.place = start, 2
        self.padded = np.zeros((N, 2 * h + k - 1, 2 * w + k - 1), np.float32)
        self.padded[:, padding : padding + H, padding : padding + W] = x
        self.work = np.full(kernels.stem_work((h, w), N, k, O, microbatch), np.nan, np.float32)

    def forward(self) -> Array:
        """Return a plane with the result, zeros where it was before."""
        y = plane_with(np.zeros(self.route.shape, np.float32), self.place[0], 1, 2, 1)
        given = self.padded, self.filters, self.bias, y, self.place, self.route, self.size
        self.kernels.stem(*given, self.work)
        return y

    def backward(self, dy: Array) -> Array:
        """Return the gradient of the filters."""
        plane, dfilters = plane_with(dy, self.place[0], 1, 2, 1), np.full_like(self.filters, np.nan)
        self.work[:] = np.nan
        self.kernels.stem_gradient(self.padded, plane, self.place, self.route, dfilters, self.microbatch, self.work)
        return dfilters


def windows_of(site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each pool window chooses from [h, w, N, O, 4], and the patch that made it [h, w, N, 4, k, k]."""
    (h, w, _), N, (k, _, O) = site.route.shape, len(site.x), site.filters.shape  # noqa: E741
    p = site.padding
    padded = np.zeros((N, 2 * h + k - 1, 2 * w + k - 1))
    padded[:, p : p + site.x.shape[1], p : p + site.x.shape[2]] = site.x
    patches = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (1, 2))[:, : 2 * h, : 2 * w]
    image = np.einsum("nijab,abo->ijno", patches, site.filters.astype(float))
    image[site.size[0] :], image[:, site.size[1] :] = -np.inf, -np.inf
    choices = image.reshape(h, 2, w, 2, N, O).transpose(0, 2, 4, 5, 1, 3).reshape(h, w, N, O, 4)
    return choices, patches.reshape(N, h, 2, w, 2, k, k).transpose(1, 3, 0, 2, 4, 5, 6).reshape(h, w, N, 4, k, k)


@each_backend
@given(
    H=st.integers(1, 9),
    W=st.integers(1, 9),
    N=st.integers(1, 5),
    microbatch=st.integers(1, 3),
    k=st.integers(1, 5),
    filters=st.sampled_from([1, 2, 5, 33]),
    start=st.integers(0, 1),
    data=st.data(),
)
def test_stem_and_gradient(
    kernels: Backend, H: int, W: int, N: int, microbatch: int, k: int, filters: int, start: int, data: st.DataObject
) -> None:
    padding = data.draw(st.integers(max(0, (k - min(H, W) + 1) // 2), k))
    x, taps = whole(-2, 3, N, H, W), whole(-1, 2, k, k, filters, seed=1)
    site = Site(kernels, x, taps, normal(filters), padding, start, microbatch)
    choices, patches = windows_of(site)
    dy, want = whole(-3, 4, *site.route.shape, seed=2), choices.max(-1).astype(np.float32) + site.bias
    for _ in range(2):  # its scratch is as good the second time
        y = site.forward()
        assert np.array_equal(y, plane_with(want.reshape(dy.shape), start, 1, 2, 1))
        assert np.array_equal(site.route, choices.argmax(-1).reshape(dy.shape))
        given_to = (np.arange(4) == choices.argmax(-1)[..., None]) * dy.reshape(*choices.shape[:-1], 1)
        assert np.array_equal(site.backward(dy), np.einsum("hwnop,hwnpab->abo", given_to, patches))


@each_backend
@pytest.mark.parametrize("bad", range(4))
def test_nan_wins(kernels: Backend, bad: int) -> None:
    x = np.zeros((1, 2, 2), np.float32)
    x[0, bad // 2, bad % 2] = np.nan
    one = Site(kernels, x, np.ones((1, 1, 1), np.float32), np.zeros(1, np.float32), 0)
    assert np.isnan(one.forward()[0, 0, 2])


@each_backend
def test_all_minus_infinity_takes_the_first(kernels: Backend) -> None:
    x = np.full((1, 2, 2), -np.inf, np.float32)
    one = Site(kernels, x, np.ones((1, 1, 1), np.float32), np.zeros(1, np.float32), 0)
    assert one.forward()[0, 0, 2] == -np.inf
    assert one.route.item() == 0
