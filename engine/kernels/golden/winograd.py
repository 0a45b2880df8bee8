"""Calls of Winograd's transforms."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import TINY, Call, Inputs, space

C, O, L = 3, 5, 6  # noqa: E741 - channels, filters, values of a pixel, as in the table


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: whole tiles and such as end beyond the edge, filters of more than one piece, equal outputs."""
    for filters in (O, 101):
        for scale in (1.0, TINY):
            w, u = x.values(3, 3, C, filters, scale=scale), x.wild(6, 6, C, filters, scale=scale)
            yield Call("winograd_filter", (w, space(6, 6, C, filters)), (space(4608),))
            yield Call("winograd_filter_gradient", (u, space(3, 3, C, filters)), (space(4608),))
    for t, s, size in ((1, 1, (4, 4)), (2, 1, (7, 2)), (2, 2, (8, 5))):
        for scale in (1.0, TINY):
            yield from _inputs(x, t, s, scale)
            yield from _outputs(x, t, s, size, scale)


def _inputs(x: Inputs, t: int, s: int, scale: float) -> Iterator[Call]:
    """Yield the transforms of the inputs of t x s tiles."""
    H, W, scratch = 4 * t + 2, 4 * s + 2, (space(36 * t * s * L),)
    yield Call("winograd_input", (x.wild(H, W, L, scale=scale), space(6, 6, t, s, L)), scratch)
    for more in (False, True):
        dv = x.values(6, 6, t, s, L, scale=scale)
        yield Call("winograd_input_gradient", (dv, x.values(H, W, L, scale=scale), more), scratch)


def _outputs(x: Inputs, t: int, s: int, size: tuple[int, int], scale: float) -> Iterator[Call]:
    """Yield the transforms of the outputs of t x s tiles: those are `size`."""
    bias, (h, w), scratch = x.values(C, scale=scale), (-(-size[0] // 2), -(-size[1] // 2)), (space(41 * t * s * L),)
    for m in (x.values(6, 6, t, s, L, scale=scale), x.wild(6, 6, t, s, L, scale=scale), x.few(6, 6, t, s, L)):
        yield Call("winograd_output", (m, bias, space(size[0] + 2, size[1] + 2, L + 2), (1, 2), size), scratch)
        route = np.zeros((h, w, L), np.uint8)
        yield Call("winograd_pool", (m, bias, space(h + 2, w + 2, L + 2), (1, 2), route, size), scratch)
        dy = x.values(h, w, L, scale=scale)
        yield Call("winograd_pool_gradient", (dy, (0, 0), route, size, space(6, 6, t, s, L)), scratch)
    dy = x.values(size[0] + 2, size[1] + 2, L + 2, scale=scale)
    yield Call("winograd_output_gradient", (dy, (1, 2), size, space(6, 6, t, s, L)), scratch)
