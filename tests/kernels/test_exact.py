"""The exact backend: its fused multiply-add against fractions, and the same bits as the compiled kernels."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data import stream
from engine.kernels import Array, Backend
from engine.kernels import exact as exactly
from engine.kernels.exact.products import fma, multiply
from engine.nn.built_in import lenet, letters, mlp
from engine.nn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    Residual,
    Silu,
    Tanh,
)
from engine.nn.model import Model
from tests.support.backends import BACKENDS, floats, normal
from tests.support.programs import case

NOTHING = np.empty(0, np.float32)
SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Values that meet the edges of float32: denormals, both zeros, the largest, infinity, NaN.
HARD = floats(0, -0.0, 1e-45, -1e-45, 1e-38, 1, -1, 0.5, 3.92, -3.92, 5.54, -5.55, 40, -87, 88.7, -104, 3e38, -3e38)
WILD = np.concatenate([normal(500) * 3, HARD, floats(np.inf, -np.inf, np.nan)])

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))
compiled = pytest.mark.parametrize("kernels", BACKENDS[1:], ids=[b.name for b in BACKENDS[1:]])


def nearest(x: Fraction) -> float:
    """Return the float32 nearest to x, of two equally near ones the even one: by whole numbers alone."""
    if x == 0:
        return 0.0
    unit = Fraction(2) ** -149
    while abs(x) >= unit * (1 << 24):
        unit *= 2
    rounded = round(x / unit) * unit  # round takes the even one, too
    return float(rounded) if abs(rounded) < 2**128 else float("inf") * (1 if x > 0 else -1)


def bits(array: NDArray[Any]) -> bytes:
    """Return the bits, one NaN being like another."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return array.tobytes()


@given(SINGLES, SINGLES, SINGLES)
def test_fma_rounds_once(a: float, b: float, c: float) -> None:
    assert fma(floats(a), floats(b), floats(c))[0] == nearest(Fraction(a) * Fraction(b) + Fraction(c))


@given(a=SINGLES, b=SINGLES, steps=st.integers(-3, 3), down=st.integers(0, 149))
def test_fma_rounds_once_near_ties(a: float, b: float, steps: int, down: int) -> None:
    """The third is minus the product of the others, but for a few last places: all that counts is rounding errors."""
    near = floats(-Fraction(a) * Fraction(b) * (1 + Fraction(steps, 2**24)) + Fraction(1, 2**down))
    c = float(near[0])
    if np.isfinite(c):
        assert fma(floats(a), floats(b), near)[0] == nearest(Fraction(a) * Fraction(b) + Fraction(c))


def test_fma_of_what_is_not_finite_and_the_sign_of_zero() -> None:
    inf, nan = np.inf, np.nan
    a, b, c = floats(inf, inf, 0, 1, 1, -1, 0), floats(1, 0, nan, 1, -1, 0, 0), floats(1, 1, 1, -inf, 1, -0.0, -0.0)
    assert bits(fma(a, b, c)) == bits(floats(inf, nan, nan, -inf, 0, -0.0, 0))


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(0, 5), st.integers(0, 99))
def test_a_product_is_a_chain_and_may_be_continued(M: int, K: int, N: int, cut: int, seed: int) -> None:
    a, b = normal(2, M, K, seed=seed), normal(2, K, N, seed=seed + 100)
    whole, parts = np.empty((2, 2, M, N), np.float32)
    multiply(a, b, whole, False, NOTHING)
    multiply(a[..., :cut], b[:, :cut], parts, False, NOTHING)
    multiply(a[..., cut:], b[:, cut:], parts, True, NOTHING)
    assert bits(whole) == bits(parts)
    for g, m, n in np.ndindex(2, M, N):
        total = 0.0
        for k in range(K):
            total = nearest(Fraction(float(a[g, m, k])) * Fraction(float(b[g, k, n])) + Fraction(total))
        assert whole[g, m, n] == total


def same(kernels: Backend, operation: str, make: Callable[[], tuple[Any, ...]]) -> None:
    """Assert that both backends return, and leave in each of their arguments, the same bits."""
    ours, theirs = make(), make()
    got, want = getattr(exactly, operation)(*ours), getattr(kernels, operation)(*theirs)
    assert bits(np.array(got, float)) == bits(np.array(want, float))
    for x, y in zip(ours, theirs, strict=True):
        assert not isinstance(x, np.ndarray) or bits(x) == bits(y)


@compiled
def test_activations(kernels: Backend) -> None:
    d, phi, mask = normal(WILD.size, seed=1), np.abs(normal(WILD.size, seed=2)), WILD > 0.5
    same(kernels, "relu", lambda: (WILD, np.empty_like(WILD), np.empty(WILD.shape, bool)))
    same(kernels, "relu_gradient", lambda: (mask, WILD, np.empty_like(WILD)))
    same(kernels, "gelu", lambda: (WILD, np.empty_like(WILD), np.empty_like(WILD)))
    same(kernels, "gelu_gradient", lambda: (WILD, phi, d, np.empty_like(WILD)))


@compiled
def test_more_activations(kernels: Backend) -> None:
    d, out = normal(WILD.size, seed=1), np.empty_like(WILD)
    for activation in ("tanh", "sigmoid", "silu"):
        same(kernels, activation, lambda: (WILD, out.copy()))
        same(kernels, f"{activation}_gradient", lambda: (WILD, d, out.copy()))
    same(kernels, "softplus", lambda: (WILD, out.copy(), out.copy()))
    same(kernels, "leaky_relu", lambda: (WILD, out.copy(), 0.3))
    same(kernels, "leaky_relu_gradient", lambda: (WILD, d, out.copy(), 0.3))


@compiled
@given(H=st.integers(1, 7), W=st.integers(1, 7), size=st.integers(1, 8), seed=st.integers(0, 99))
def test_average_pool(kernels: Backend, H: int, W: int, size: int, seed: int) -> None:
    x, dy = normal(H, W, 6, seed=seed), normal(-(-H // size), -(-W // size), 6, seed=seed)
    x[seed % H, seed % W, 0] = HARD[seed % HARD.size]
    same(kernels, "average_pool", lambda: (x, np.empty_like(dy), (0, 0), size))
    same(kernels, "average_pool_gradient", lambda: (dy, (0, 0), np.empty_like(x), size))


@compiled
@given(h=st.integers(1, 3), N=st.integers(1, 3), size=st.sampled_from([1, 3, 16, 37]), seed=st.integers(0, 99))
def test_norms(kernels: Backend, h: int, N: int, size: int, seed: int) -> None:
    C = 2 * size
    x, dy, bias, stats = normal(h, 2, N * C, seed=seed), normal(h, 2, N * C, seed=1), normal(C), normal(2, N * C)
    x[0, seed % 2, 0] = HARD[seed % HARD.size]
    work, none = np.empty(4 * N * C + 16 + 4 * C, np.float32), np.empty((0, 0, 0), np.float32)
    alike(kernels, "normalise", (x, dy[0, 0, :C], bias, 2, 1e-5, np.empty_like(x), (0, 0), stats), (work,))
    for dx in (np.empty_like(x), none):
        alike(kernels, "normalise_gradient", (x, stats, bias, 2, dy, (0, 0), dx, bias.copy(), bias.copy(), 2), (work,))


@compiled
@given(N=st.integers(1, 5), K=st.integers(1, 30), seed=st.integers(0, 99), spread=st.sampled_from([1e-3, 1, 30, 1e30]))
def test_losses(kernels: Backend, N: int, K: int, seed: int, spread: float) -> None:
    z, values = normal(N, K, seed=seed) * np.float32(spread), normal(N, K, seed=seed + 100)
    z[seed % N, seed % K] = HARD[seed % HARD.size] if seed % 5 else np.nan
    labels = np.random.default_rng(seed).integers(0, K, N).astype(np.int32)
    for loss in ("softmax_cross_entropy", "mean_squared_error"):
        same(kernels, loss, lambda: (z, labels, np.empty(N), np.empty_like(z)))
    same(kernels, "squared_error_of_values", lambda: (z, values, np.empty(N), np.empty_like(z)))


@compiled
@given(H=st.integers(1, 7), W=st.integers(1, 7), size=st.integers(1, 3), seed=st.integers(0, 99))
def test_max_pool(kernels: Backend, H: int, W: int, size: int, seed: int) -> None:
    h, w = -(-H // size), -(-W // size)
    rng = np.random.default_rng(seed)
    x = rng.choice(floats(-1, -0.0, 0, 1, np.nan, np.inf), (H, W, 6), p=[0.2, 0.2, 0.2, 0.3, 0.05, 0.05])
    route, dy = rng.integers(0, size * size, (h, w, 6)).astype(np.uint8), normal(h, w, 6, seed=seed)
    same(kernels, "max_pool", lambda: (x, np.empty_like(dy), (0, 0), np.empty_like(route), size, np.zeros_like(route)))
    same(
        kernels,
        "max_pool_gradient",
        lambda: (dy, (0, 0), route, np.empty_like(x), size, np.zeros(route.shape, bool)),
    )


@compiled
def test_optimizers(kernels: Backend) -> None:
    w, m, v = normal(WILD.size, seed=3), normal(WILD.size, seed=4), np.abs(normal(WILD.size, seed=5))
    steps: dict[str, tuple[list[Array], tuple[Any, ...]]] = {
        "sgd": ([w, np.empty_like(w), WILD], (0.01, 0.3)),
        "momentum": ([w, np.empty_like(w), m, WILD], (0.01, 0.3, 0.9)),
        "adam": ([w, np.empty_like(w), m, v, WILD], (0.01, 0.001, (0.9, 0.999), 1e-8)),
    }
    for name, (vectors, options) in steps.items():
        ours, theirs = ([vector.copy() for vector in vectors] for _ in range(2))
        for _ in range(3):
            getattr(exactly, name)(*ours, *options, np.empty(100, np.float32))
            getattr(kernels, name)(*theirs, *options, np.empty(100, np.float32))
        assert [bits(x) for x in ours] == [bits(x) for x in theirs]


@compiled
def test_measures(kernels: Backend) -> None:
    x = normal(1001) * 1e5
    same(kernels, "moments", lambda: (x,))
    same(kernels, "norm", lambda: (x,))
    same(kernels, "total", lambda: (x.astype(float) ** 3,))
    same(kernels, "histogram", lambda: (x, float(x.min()), float(x.max()), np.zeros(7, np.int64)))


@compiled
def test_dropout(kernels: Backend) -> None:
    same(kernels, "dropout_mask", lambda: ((3, 1), (1, 2, 3, 4), 0.3, np.empty((5, 13), np.float32)))


def alike(kernels: Backend, operation: str, arguments: tuple[Any, ...], scratch: tuple[Array, ...]) -> None:
    """Assert that both backends leave the same bits in every argument but the scratch, which comes last."""
    got, want = ([a.copy() if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2))
    getattr(exactly, operation)(*got, *(a.copy() for a in scratch))
    getattr(kernels, operation)(*want, *(a.copy() for a in scratch))
    for mine, theirs in zip(got, want, strict=True):
        assert not isinstance(mine, np.ndarray) or bits(mine) == bits(theirs)


@compiled
@settings(max_examples=30)
@given(
    tiles=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    cut=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    N=st.integers(1, 9),
    C=st.integers(1, 12),
    filters=st.sampled_from([1, 5, 16, 40]),
    microbatch=st.integers(1, 4),
    pool=st.booleans(),
)
def test_winograd(
    kernels: Backend,
    tiles: tuple[int, int],
    cut: tuple[int, int],
    N: int,
    C: int,
    filters: int,
    microbatch: int,
    pool: bool,
) -> None:
    (t, s), size = tiles, (4 * tiles[0] - cut[0], 4 * tiles[1] - cut[1])
    w, u, bias, x = (
        normal(3, 3, C, filters),
        normal(36, C + 1, filters)[:, :C],
        normal(filters),
        normal(4 * t + 2, 4 * s + 2, N * C),
    )
    shape = (-(-size[0] // 2), -(-size[1] // 2), N * filters) if pool else (*size, N * filters)
    route = np.zeros(shape if pool else (0, 0, 0), np.uint8)
    work = np.full(kernels.winograd_work(tiles, N, C, filters, microbatch), np.nan, np.float32)
    alike(kernels, "winograd_filter", (w, u.reshape(6, 6, C, filters)), ())
    forward = (x, N, u, bias, np.empty(shape, np.float32), (0, 0), route, size)
    alike(kernels, "winograd", forward, (work,))
    exactly.winograd(*forward, work)
    ut, dx = normal(36, filters + 1, C)[:, :filters], np.ones_like(x)
    backward = (x, N, normal(*shape), (0, 0), route, size, ut, dx, w, microbatch)
    alike(kernels, "winograd_gradient", backward, (work,))


@compiled
def test_convolution(kernels: Backend) -> None:
    columns, bias, dy = normal(3, 2, 2, 3, 2, 4), normal(4), normal(5, 4, 8)
    for more in (False, True):
        alike(kernels, "col2im", (columns, normal(7, 5, 2, 4, seed=3), (2, 1), (0, 1), more), ())
    same(kernels, "im2col", lambda: (normal(7, 5, 2, 4), np.empty_like(columns), (2, 1), (0, 1)))
    same(kernels, "add_bias", lambda: (dy, bias, np.empty_like(dy), (0, 0)))
    alike(kernels, "bias_gradient", (dy, (0, 0), dy.shape, bias, 1), (np.empty(8, np.float32),))


@compiled
@given(C=st.integers(1, 40), O=st.integers(1, 40), window=sizes, size=sizes, microbatch=st.integers(1, 4))
def test_convolution_by_taps(
    kernels: Backend,
    C: int,
    O: int,  # noqa: E741
    window: tuple[int, int],
    size: tuple[int, int],
    microbatch: int,
) -> None:
    N, origin, work = 4, (1, 0), np.empty(4 * 3 * 40 * 16, np.float32)
    x, filters = normal(size[0] + window[0] + 1, size[1] + window[1], N, C), normal(*window, C, O, seed=1)
    dy, turned = normal(*size, N, O, seed=2), normal(O, *window, C, seed=3)
    filters[0, 0, 0], turned[0, 0, 0] = HARD[C % HARD.size], HARD[O % HARD.size]
    alike(kernels, "convolve", (x, filters, np.empty_like(dy), origin), (work,))
    alike(kernels, "convolve_input_gradient", (dy, turned, np.empty_like(x), origin), (work,))
    alike(kernels, "convolve_filter_gradient", (x, dy, np.empty_like(filters), origin, microbatch), (work,))


@compiled
@given(M=st.integers(1, 9), K=st.integers(1, 40), N=st.integers(1, 40), more=st.booleans(), seed=st.integers(0, 99))
def test_products(kernels: Backend, M: int, K: int, N: int, more: bool, seed: int) -> None:
    a, b, out = normal(2, M, K, seed=seed), normal(2, K, N, seed=seed + 1), normal(2, M, N, seed=seed + 2)
    a[0, 0, 0], b[1, 0, 0] = HARD[seed % HARD.size], HARD[seed % 7]
    alike(kernels, "multiply", (a, b, out, more), (NOTHING,))
    rows = np.ascontiguousarray(a.transpose(0, 2, 1))
    scratch = np.empty(16 * N * K.bit_length(), np.float32)
    alike(kernels, "matrix_gradient", (rows, b, out[0], 1 + seed % K), (scratch,))


@compiled
@given(
    H=st.integers(3, 9),
    W=st.integers(3, 9),
    k=st.integers(1, 3),
    padding=st.integers(0, 2),
    microbatch=st.integers(1, 3),
)
def test_stem(kernels: Backend, H: int, W: int, k: int, padding: int, microbatch: int) -> None:
    N, filters_, padding = 3, 3, min(padding, k - 1)
    size = H + 2 * padding - k + 1, W + 2 * padding - k + 1
    h, w = -(-size[0] // 2), -(-size[1] // 2)
    x, filters, bias, dy = (
        normal(N, 2 * h + k - 1, 2 * w + k - 1),
        normal(k, k, filters_),
        normal(filters_),
        normal(h, w, N * filters_),
    )
    route = np.zeros(dy.shape, np.uint8)
    work = np.empty(kernels.stem_work((h, w), N, k, filters_, microbatch), np.float32)
    forward = (x, filters, bias, np.empty_like(dy), (0, 0), route, size)
    alike(kernels, "stem", forward, (work,))
    exactly.stem(*forward, work)
    alike(kernels, "stem_gradient", (x, dy, (0, 0), route, filters, microbatch), (work,))


BLOCK = Residual((Conv2d(8, (2, 3), 2, "same", bias=False), GroupNorm(2), Silu()), (AvgPool2d(), Conv2d(8, 1)))
ENDS = Residual(Conv2d(8, padding=1)), GlobalAvgPool(), LayerNorm(), Dense(3)
MODELS = {
    "letters": letters().with_dropout(0.3),
    "lenet": lenet(),
    "mlp": mlp(),
    "block": Model(
        (BLOCK, Tanh(), Dropout(0.2), Residual(Conv2d(8, padding=1)), GlobalAvgPool(), LayerNorm(), Dense(3)), (9, 8, 2)
    ),
}


@compiled
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_whole_networks(kernels: Backend, model: Model) -> None:
    ours, theirs = (case(model, 5, backend, microbatch=2) for backend in (exactly, kernels))
    got, want = (c.gradient(*(stream(1, 2, number) for number in range(3))) for c in (ours, theirs))
    assert bits(got[0]) == bits(want[0])
    assert got[1:] == want[1:]
