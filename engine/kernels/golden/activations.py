"""Calls of activations that are a function of exp."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import HARD, TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: values around 0 and far from it, denormals, all hard ones; gradients with hard ones, too."""
    some = np.concatenate([HARD, x.wild(200), x.values(300, scale=16), x.values(100, scale=TINY)])
    size = some.size
    y, slope, d = space(size), space(size), x.wild(size)
    for name in ("tanh", "sigmoid"):
        yield Call(name, (some, y))
        yield Call(f"{name}_gradient", (y, d, space(size)))
        yield Call(f"{name}_gradient", (x.wild(size, scale=TINY), d, space(size)))
    yield Call("silu", (some, y))
    yield Call("silu_gradient", (some, d, space(size)))
    yield Call("softplus", (some, y, slope))
    yield Call("leaky_relu", (some, y, 0.01))
    yield Call("leaky_relu_gradient", (some, d, space(size), 0.01))
