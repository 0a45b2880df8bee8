"""Calls of what makes random numbers."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import Call, Inputs, space

LARGEST = (1 << 63) - 1


def calls(x: Inputs) -> Iterator[Call]:  # noqa: ARG001 - as in the other files
    """Yield the calls: the largest keys and counters, and rows that are not a multiple of a block."""
    yield Call("philox", ((3, 1), (1, 2, 3, 4), np.zeros(12, np.uint64)))
    yield Call("philox", ((LARGEST, 5), (LARGEST - 2, 0, LARGEST, LARGEST), np.zeros(12, np.uint64)))
    yield Call("dropout_mask", ((3, 1), (1, 2, 3, 4), 0.3, space(5, 13)))
    yield Call("dropout_mask", ((LARGEST, 1), (7, 1, LARGEST, 9), 0.5, space(3, 16)))
