"""Normalisation of groups of channels against its definition in double precision."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Array, Backend
from engine.nn.layers import GroupNorm
from tests.support.backends import each_backend, normal, plane_with
from tests.support.reference import Doubles, normalise

sizes = st.integers(1, 4)


def channels_second(x: Array, C: int) -> Doubles:
    """Return an image [h, w, L] as [N, C, h, w]."""
    h, w, L = x.shape
    return x.reshape(h, w, L // C, C).transpose(2, 3, 0, 1).astype(float)


@each_backend
@given(
    h=sizes,
    w=sizes,
    N=sizes,
    groups=sizes,
    size=st.sampled_from([1, 2, 5, 16, 17, 40]),
    start=st.integers(0, 2),
    microbatch=sizes,
)
def test_normalise_and_its_gradient(
    kernels: Backend, h: int, w: int, N: int, groups: int, size: int, start: int, microbatch: int
) -> None:
    C = groups * size
    L = N * C
    x, scale, bias, dy = normal(h, w, L) + 3, normal(C, seed=1), normal(C, seed=2), normal(h, w, L, seed=3)
    parameters, slopes = {"n.scale": scale.astype(float), "n.bias": bias.astype(float)}, dict[str, Doubles]()
    want, back = normalise(GroupNorm(groups, epsilon=0.1, name="n"), channels_second(x, C), parameters, slopes)
    y, stats, work = (
        plane_with(np.zeros_like(x), start, 1, 2, 1),
        np.empty((2, L), np.float32),
        normal(4 * L + 16 + 6 * C),
    )
    kernels.normalise(x, scale, bias, groups, 0.1, y, (start, 2), stats, work)
    image = y[start : start + h, start : start + w, 2 : 2 + L].copy()
    np.testing.assert_allclose(channels_second(image, C), want, atol=2e-5)
    assert np.array_equal(y, plane_with(image, start, 1, 2, 1))

    dx, dscale, dbias = np.full_like(x, 9), np.ones(C, np.float32), np.ones(C, np.float32)
    plane = plane_with(dy, start, 1, 2, 1)
    kernels.normalise_gradient(x, stats, scale, groups, plane, (start, 2), dx, dscale, dbias, microbatch, work)
    np.testing.assert_allclose(channels_second(dx, C), back(channels_second(dy, C)), atol=1e-4)
    np.testing.assert_allclose(dscale, slopes["n.scale"], atol=1e-4)
    np.testing.assert_allclose(dbias, slopes["n.bias"], atol=1e-4)

    again, none = (np.ones(C, np.float32), np.ones(C, np.float32)), np.empty((0, 0, 0), np.float32)
    kernels.normalise_gradient(x, stats, scale, groups, plane, (start, 2), none, *again, microbatch, work)
    assert (again[0].tobytes(), again[1].tobytes()) == (dscale.tobytes(), dbias.tobytes())


@each_backend
def test_values_that_are_all_the_same(kernels: Backend) -> None:
    x, one, stats = np.full((2, 3, 4), 5, np.float32), np.ones(4, np.float32), np.empty((2, 4), np.float32)
    y, work = np.empty_like(x), np.empty(32, np.float32)
    kernels.normalise(x, one, 2 * one, 2, 1e-5, y, (0, 0), stats, work)
    assert (y == 2).all()
