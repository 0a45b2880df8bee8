"""Calls of optimizers."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import HARD, TINY, Call, Inputs, space
from engine.kernels.golden.measures import received
from engine.kernels.table import Array

SMALL = 2.0**-64  # its square is about the smallest normal number


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: two steps each, with gradients of all sizes, our own and such as came in a message."""
    gradient, w, velocity, m = (_of_all_sizes(x) for _ in range(4))
    gradient[: HARD.size] = HARD
    v, work, out = np.abs(_of_all_sizes(x)) * np.float32(SMALL), space(100), space(w.size)
    for g in (gradient, received(gradient)):
        yield Call("sgd", (w, out, g, 1 / 24, 0.3), (work,))
        yield Call("momentum", (_of_all_sizes(x), out, velocity, g, 1 / 24, 0.01, 0.9), (work,))
        yield Call("nesterov", (_of_all_sizes(x), out, velocity, g, 1 / 24, 0.01, 0.9), (work,))
        yield Call("rmsprop", (_of_all_sizes(x), out, np.abs(_of_all_sizes(x)), g, 1 / 24, 0.01, 0.99, 1e-8), (work,))
        yield Call("adam", (_of_all_sizes(x), out, m, v, g, 1 / 24, 0.001, (0.9, 0.999), 1e-8), (work,))


def _of_all_sizes(x: Inputs) -> Array:
    """Return values of which some are denormals, and some have squares that are."""
    return np.concatenate([x.values(250), x.values(100, scale=TINY), x.values(53, scale=SMALL)])
