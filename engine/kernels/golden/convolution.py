"""Calls of the copies around a convolution, and of the sums over its outputs."""

from collections.abc import Iterator

from engine.kernels.golden.inputs import TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: strides 1 and 2, patches that overlap, images inside of larger planes."""
    for stride, origin, h, w in (((1, 1), (0, 0), 5, 3), ((2, 1), (1, 0), 3, 3), ((2, 2), (0, 1), 2, 2)):
        yield Call("im2col", (x.wild(7, 7, 3, 4), space(h, w, 3, 2, 3, 4), stride, origin))
        for columns in (x.values(h, w, 3, 2, 3, 4), x.wild(h, w, 3, 2, 3, 4, scale=TINY)):
            yield Call("col2im", (columns, space(7, 7, 3, 4), stride, origin, False))
    for scale in (1.0, TINY):
        yield Call("add_bias", (x.wild(5, 4, 21, scale=scale), x.values(7, scale=scale), space(8, 7, 23), (2, 2)))
        for microbatch in (1, 2, 3):
            dy = x.values(8, 7, 23, scale=scale)
            yield Call("bias_gradient", (dy, (2, 1), (5, 4, 21), space(7), microbatch), (space(14),))
    yield Call("bias_gradient", (x.wild(1, 1, 77), (0, 0), (1, 1, 77), space(11), 4), (space(22),))
