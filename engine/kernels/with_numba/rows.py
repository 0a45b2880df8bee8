"""One row of Winograd's tiles, number i, for L values from `first` of each pixel of a plane: all samples, or some.

The 36 values of a transformed tile are `point` values apart in the flat array v or m, those of the first tile from `at`
on, those of the next L further on. `nothing` is scratch of L values.
"""

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.tiles import (
    input_gradient_row,
    input_tile,
    output_gradient_tile,
    output_tile,
    pool_gradient_tile,
    pool_tile,
)


@inner
def transform(x: Array, i: int, first: int, L: int, v: Array, at: int, point: int) -> None:
    """Transform the plane x to v."""
    pixel, row = x.shape[2], x.shape[1] * x.shape[2]
    for j in range((x.shape[1] - 2) // 4):
        tile = pointer(x, 4 * i * row + 4 * j * pixel + first)
        input_tile(tile, row, pixel, pointer(v, at + j * L), point, L)


@inner
def fold_back(v: Array, at: int, point: int, dx: Array, i: int, first: int, L: int, z: Array) -> None:
    """Add the gradient v of a transformed row to the first two of its rows in the plane dx, and set the other four."""
    pixel, row, s = dx.shape[2], dx.shape[1] * dx.shape[2], (dx.shape[1] - 2) // 4
    to = pointer(dx, 4 * i * row + first)
    input_gradient_row(pointer(v, at), point, L, s, to, row, pixel, pointer(z, 0), L)


@inner
def put_out(
    m: Array,
    at: int,
    point: int,
    i: int,
    L: int,
    biases: Array,
    y: Array,
    place: Place,
    route: Route,
    first: int,
    size: Size,
    nothing: Array,
) -> None:
    """Transform m to outputs, or if there is a route to the largest of each window, and add the biases [L].

    They go into the plane y at `place`, and into the route from `first` on.
    """
    pixel, row = y.shape[2], y.shape[1] * y.shape[2]
    start = place[0] * (row + pixel) + place[1]
    for j in range((size[1] + 3) // 4):
        tile, bias, none = pointer(m, at + j * L), pointer(biases, 0), pointer(nothing, 0)
        below, right = size[0] - 4 * i, size[1] - 4 * j
        if route.size:
            route_pixel, route_row = route.shape[2], route.shape[1] * route.shape[2]
            best = pointer(y, start + 2 * i * row + 2 * j * pixel)
            won = pointer(route, 2 * i * route_row + 2 * j * route_pixel + first)
            pool_tile(tile, point, best, row, pixel, won, route_row, route_pixel, bias, below, right, none, L)
        else:
            pixels = pointer(y, start + 4 * i * row + 4 * j * pixel)
            output_tile(tile, point, pixels, row, pixel, bias, below, right, none, L)


@inner
def take_in(
    dy: Array,
    place: Place,
    route: Route,
    first: int,
    size: Size,
    i: int,
    L: int,
    m: Array,
    at: int,
    point: int,
    nothing: Array,
) -> None:
    """Transform the gradient of what `put_out` wrote back to m."""
    pixel, row = dy.shape[2], dy.shape[1] * dy.shape[2]
    start = place[0] * (row + pixel) + place[1]
    nothing[:L] = 0
    for j in range((size[1] + 3) // 4):
        tile, none = pointer(m, at + j * L), pointer(nothing, 0)
        below, right = size[0] - 4 * i, size[1] - 4 * j
        if route.size:
            route_pixel, route_row = route.shape[2], route.shape[1] * route.shape[2]
            slope = pointer(dy, start + 2 * i * row + 2 * j * pixel)
            won = pointer(route, 2 * i * route_row + 2 * j * route_pixel + first)
            pool_gradient_tile(slope, row, pixel, won, route_row, route_pixel, below, right, none, tile, point, L)
        else:
            slope = pointer(dy, start + 4 * i * row + 4 * j * pixel)
            output_gradient_tile(slope, row, pixel, below, right, none, tile, point, L)
