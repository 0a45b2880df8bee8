"""Calls of activations."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import HARD, TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: values around 0 and far from it, denormals, all hard ones."""
    size = 1003
    some = np.concatenate([HARD, x.wild(400), x.values(300, scale=8), x.values(276, scale=TINY)])
    d, y, phi, mask = x.wild(size), space(size), space(size), np.zeros(size, np.bool_)
    yield Call("relu", (some, y, mask))
    yield Call("relu_gradient", (mask, d, space(size)))
    yield Call("gelu", (some, y, phi))
    yield Call("gelu_gradient", (some, phi, d, space(size)))
