"""Calls of the normalisation of groups of channels."""

from collections.abc import Iterator

from engine.kernels.golden.inputs import TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: groups of one channel, of some, of all; equal values; some that are not finite, tiny or large."""
    for groups, C, N in ((1, 7, 3), (2, 34, 2), (4, 4, 1)):
        for image in (x.values(3, 2, N * C), x.few(3, 2, N * C), x.wild(3, 2, N * C, scale=TINY), x.wild(3, 2, N * C)):
            scale, bias, stats, work = x.values(C), x.values(C), space(2, N * C), (space(4 * N * C + 16 + 4 * C),)
            forward = (image, scale, bias, groups, 1e-5, space(5, 4, N * C + 3), (1, 2), stats)
            yield Call("normalise", forward, work)
            for dx in (space(3, 2, N * C), space(0, 0, 0)):
                dy = x.values(3, 2, N * C)
                back = (image, stats, scale, groups, dy, (0, 0), dx, x.values(C), x.values(C), 2)
                yield Call("normalise_gradient", back, work)
