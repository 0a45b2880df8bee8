"""Calls of convolutions tap by tap."""

from collections.abc import Iterator

from engine.kernels.golden.inputs import TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: all kinds of edges, an image inside of a larger one, sums that end among the denormals."""
    for C, O, scale in ((4, 7, 1.0), (9, 50, 1.0), (9, 33, TINY)):  # noqa: E741 - as in the table
        image, dy, work = x.values(6, 7, 5, C, scale=scale), x.values(4, 3, 5, O, scale=scale), space(3 * 5 * 50)
        yield Call("convolve", (image, x.values(2, 3, C, O), space(4, 3, 5, O), (1, 2)), (work,))
        yield Call("convolve_input_gradient", (dy, x.values(O, 2, 3, C), space(6, 7, 5, C), (1, 2)), (work,))
        for microbatch in (2, 5):
            sums = space(2, 3, C, O)
            yield Call("convolve_filter_gradient", (image, dy, sums, (1, 2), microbatch), (space(16 * O * 5),))
