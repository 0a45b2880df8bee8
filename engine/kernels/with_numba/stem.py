"""The first convolution, on images of one channel, with its max-pool, compiled: a row of pool windows at a time."""

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.convolution import add_bias_gradient, copy
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.pooling import deal_row, pool_row, repeat
from engine.kernels.with_numba.products import product


@kernel
def stem(
    x: Array,
    filters: Array,
    bias: Array,
    y: Array,
    place: Place,
    route: Route,
    size: Size,
    padding: int,
    patches: Array,
    work: Array,
    turned: Array,
) -> None:
    (h, w, L), (start, first), k, N = route.shape, place, len(filters), len(x)
    rows, phases = patches.reshape(h, k, k, 2, 2, w * N), work[: 4 * w * L].reshape(4, w, L)
    biases = repeat(bias, work[4 * w * L :], L)
    turn(x, turned, padding)
    for i in range(h):
        take_patches(turned.reshape(turned.shape[0], 2, -1), rows[i], i, N)
        M = 4 * w * N
        product(rows, i * k * k * M, 1, M, filters, 0, bias.size, phases, 0, M, k * k, bias.size, False)
        a, b, c, d = phases[0], phases[1], phases[2], phases[3]
        pool_row(y[start + i, start:], first, route[i], a, b, c, d, biases, size[1], 2 * i + 1 < size[0])


@kernel
def stem_gradient(
    dy: Array, place: Place, route: Route, patches: Array, dfilters: Array, dbias: Array, more: bool, work: Array
) -> None:
    (h, w, L), (start, first), k, O = route.shape, place, len(dfilters), dbias.size  # noqa: E741 - as in the table
    phases = work[: 4 * w * L].reshape(4, w, L)
    if not more:
        dbias[:] = 0
    add_bias_gradient(dy, place, route.shape, dbias)
    for i in range(h):
        a, b, c, d = phases[0], phases[1], phases[2], phases[3]
        deal_row(a, b, c, d, dy[start + i, start:], first, route[i])
        K = 4 * w * L // O
        product(patches, i * k * k * K, K, 1, phases, 0, O, dfilters, 0, k * k, K, O, more or i > 0)


@inner
def turn(x: Array, turned: Array, padding: int) -> None:
    """Put even and odd columns of the images apart, samples last, so that patches are runs of w * N values."""
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                c = j + padding
                turned[i + padding, c % 2, c // 2, n] = x[n, i, j]


@inner
def take_patches(turned: Array, patches: Array, i: int, N: int) -> None:
    """Let patches[a, b, q, r] [w N] be what meets kernel tap (a, b) at outputs (2 i + q, 2 j + r)."""
    k, size = len(patches), patches.shape[4]
    for a in range(k):
        for b in range(k):
            for q in range(2):
                for c in range(b, b + 2):
                    left = c // 2 * N
                    copy(patches[a, b, q, c - b], turned[2 * i + q + a, c % 2, left : left + size])
