"""Winograd's transforms of whole tiles: both ways at once, so that nothing in between is written to memory.

All run over `count` values of a pixel of many samples. The 36 values of a transformed tile are `point` values apart,
the pixels of a plane `row` and `column`. Of a tile at the edge only `rows` x `columns` pixels are there: instead of
others, `nothing` is read, `count` zeros, or written.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.kernels.with_numba.transforms import combine, differences, expand, fold, spread
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import (
    BYTE,
    COUNT,
    FLOATS,
    LANES,
    ROUTE,
    Lanes,
    both_ways,
    each,
    emitted,
    grid,
    loop,
    number,
)
from engine.kernels.with_numba.windows import PLACES, first_maximum, mark, share, there

Places = list[list[Any]]  # where arrays begin


@emitted(FLOATS, COUNT, COUNT, FLOATS, COUNT, COUNT)
def input_tile(b: Any, x: Any, row: Any, column: Any, v: Any, point: Any, count: Any) -> None:
    """Set v = B^T x B."""
    _transformed(b, differences, grid(b, x, row, column, (6, 6)), _points(b, v, point), count)


@emitted(FLOATS, COUNT, FLOATS, COUNT, COUNT, FLOATS, COUNT, COUNT, FLOATS, COUNT)
def output_tile(
    b: Any,
    m: Any,
    point: Any,
    y: Any,
    row: Any,
    column: Any,
    bias: Any,
    rows: Any,
    columns: Any,
    nothing: Any,
    count: Any,
) -> None:
    """Set y = A^T m A + bias [count]."""
    source, target = _points(b, m, point), _within(b, grid(b, y, row, column, (4, 4)), rows, columns, nothing)

    def emit(lanes: Lanes) -> None:
        added = lanes.load(bias)
        _store(lanes, [[value + added for value in line] for line in both_ways(combine, _load(lanes, source))], target)

    each(b, count, emit)


@emitted(FLOATS, COUNT, COUNT, COUNT, COUNT, FLOATS, FLOATS, COUNT, COUNT)
def output_gradient_tile(
    b: Any, dy: Any, row: Any, column: Any, rows: Any, columns: Any, nothing: Any, m: Any, point: Any, count: Any
) -> None:
    """Set m = A dy A^T."""
    source = _within(b, grid(b, dy, row, column, (4, 4)), rows, columns, nothing)
    _transformed(b, spread, source, _points(b, m, point), count)


@emitted(FLOATS, COUNT, FLOATS, COUNT, COUNT, ROUTE, COUNT, COUNT, FLOATS, COUNT, COUNT, FLOATS, COUNT)
def pool_tile(
    b: Any,
    m: Any,
    point: Any,
    y: Any,
    row: Any,
    column: Any,
    route: Any,
    route_row: Any,
    route_column: Any,
    bias: Any,
    rows: Any,
    columns: Any,
    nothing: Any,
    count: Any,
) -> None:
    """Set y to the largest of each window of A^T m A, plus bias [count], and route to which it was."""
    source, windows = _points(b, m, point), (_windows(b, rows), _windows(b, columns))
    target = _within(b, grid(b, y, row, column, (2, 2)), *windows, nothing)
    won = grid(b, route, route_row, route_column, (2, 2))
    won = _within(b, won, *windows, b.bitcast(nothing, BYTE.as_pointer()))

    def emit(whole: bool, lanes: Lanes) -> None:
        added, image = lanes.load(bias), both_ways(combine, _load(lanes, source))
        for i, j in PLACES:
            window = [image[2 * i + p][2 * j + q] for p, q in PLACES]
            parts = None if whole else (there(b, 2 * j + 1, columns), there(b, 2 * i + 1, rows))
            best, place = first_maximum(window, parts)
            lanes.store(best + added, target[i][j])
            lanes.store_bytes(place, won[i][j])

    with b.if_else(b.and_(there(b, 3, rows), there(b, 3, columns))) as (all_there, some_there):
        with all_there:
            each(b, count, partial(emit, True))
        with some_there:
            each(b, count, partial(emit, False))


@emitted(FLOATS, COUNT, COUNT, ROUTE, COUNT, COUNT, COUNT, COUNT, FLOATS, FLOATS, COUNT, COUNT)
def pool_gradient_tile(
    b: Any,
    dy: Any,
    row: Any,
    column: Any,
    route: Any,
    route_row: Any,
    route_column: Any,
    rows: Any,
    columns: Any,
    nothing: Any,
    m: Any,
    point: Any,
    count: Any,
) -> None:
    """Set m = A d A^T, d being dy given to the outputs that won."""
    target, windows = _points(b, m, point), (_windows(b, rows), _windows(b, columns))
    source = _within(b, grid(b, dy, row, column, (2, 2)), *windows, nothing)
    won = grid(b, route, route_row, route_column, (2, 2))
    won = _within(b, won, *windows, b.bitcast(nothing, BYTE.as_pointer()))

    def emit(lanes: Lanes) -> None:
        image: list[list[Any]] = [[None] * 4 for _ in range(4)]
        for i, j in PLACES:
            d, winner = lanes.load(source[i][j]), lanes.load_bytes(won[i][j])
            for p, q in PLACES:
                image[2 * i + p][2 * j + q] = share(d, winner, mark(2 * p + q))
        _store(lanes, both_ways(spread, image), target)

    each(b, count, emit)


@emitted(FLOATS, COUNT, COUNT, COUNT, FLOATS, COUNT, COUNT, FLOATS, COUNT)
def input_gradient_row(
    b: Any, dv: Any, point: Any, tile: Any, tiles: Any, dx: Any, row: Any, column: Any, z: Any, count: Any
) -> None:
    """Add B dv B^T of a row of tiles, `tile` values apart, to the first two rows of dx, and set the other four.

    z has 6 (4 tiles + 2) vectors of scratch.
    """
    width = b.add(b.mul(tiles, number(4 * LANES)), number(2 * LANES))
    across, rows = ([line[0] for line in grid(b, *start, number(0), (6, 1))] for start in ((z, width), (dx, row)))
    here = Lanes(b, number(0), None)

    def emit(lanes: Lanes) -> None:
        for line in across:
            _store(here, [[here.zero()] * 2], grid(b, line, number(0), number(LANES), (1, 2)))
        with loop(b, number(0), tiles, 1) as at:
            for line, values in zip(across, _points(b, b.gep(dv, [b.mul(at, tile)]), point), strict=True):
                start = b.gep(line, [b.mul(at, number(4 * LANES))])
                _fold(here, lanes, values, grid(b, start, number(0), number(LANES), (1, 6))[0])
        with loop(b, number(0), width, LANES) as at:
            pixel = b.mul(b.sdiv(at, number(LANES)), column)
            _fold(lanes, here, [b.gep(line, [at]) for line in across], [b.gep(line, [pixel]) for line in rows])

    each(b, count, emit)


@emitted(FLOATS, COUNT, FLOATS, COUNT, COUNT)
def filter_tile(b: Any, w: Any, tap: Any, u: Any, point: Any, count: Any) -> None:
    """Set u = G w G^T; the 9 taps of w are `tap` values apart."""
    _transformed(b, expand, _taps(b, w, tap), _points(b, u, point), count)


def _transformed(b: Any, transform: Any, source: Places, target: Places, count: Any) -> None:
    """Emit a loop that transforms a tile both ways."""
    each(b, count, lambda lanes: _store(lanes, both_ways(transform, _load(lanes, source)), target))


def _load(lanes: Lanes, source: Places) -> list[list[Vector]]:
    return [[lanes.load(place) for place in line] for line in source]


def _store(lanes: Lanes, values: Sequence[Sequence[Vector]], target: Places) -> None:
    for line, places in zip(values, target, strict=True):
        for value, place in zip(line, places, strict=True):
            lanes.store(value, place)


def _fold(to: Lanes, of: Lanes, source: list[Any], target: list[Any]) -> None:
    """Add the first two of what `source` folds to, set the other four."""
    before = [to.load(place) for place in target[:2]]
    _store(to, [fold(*before, *(of.load(place) for place in source))], [target])


def _points(b: Any, start: Any, point: Any) -> Places:
    return grid(b, start, b.mul(point, number(6)), point, (6, 6))


def _taps(b: Any, start: Any, tap: Any) -> Places:
    return grid(b, start, b.mul(tap, number(3)), tap, (3, 3))


def _within(b: Any, places: Places, rows: Any, columns: Any, nothing: Any) -> Places:
    """Return `places`, with `nothing` for those that are not there."""
    return [
        [b.select(b.and_(there(b, i, rows), there(b, j, columns)), place, nothing) for j, place in enumerate(line)]
        for i, line in enumerate(places)
    ]


def _windows(b: Any, outputs: Any) -> Any:
    """Return how many windows of two these rows or columns are."""
    return b.sdiv(b.add(outputs, number(1)), number(2))
