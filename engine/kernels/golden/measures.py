"""Calls of what is said of an array."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import TINY, Call, Inputs
from engine.kernels.table import Array


def calls(x: Inputs) -> Iterator[Call]:
    """Yield the calls: sums of odd lengths, of denormals, and of numbers whose squares overflow float32."""
    for some in (x.values(1001, scale=2.0**17), x.values(130, scale=TINY), x.values(65, scale=2.0**127), x.wild(99)):
        yield Call("moments", (some,))
        yield Call("norm", (some,))
        yield Call("norm", (received(some),))
        yield Call("total", (some.astype(np.float64),))
    some = x.values(1500)
    yield Call("histogram", (some, float(some.min()), float(some.max()), np.zeros(7, np.int64)))
    yield Call("histogram", (some[:10] * np.float32(0), 0.0, 0.0, np.zeros(3, np.int64)))


def received(x: Array) -> Array:
    """Return a copy that cannot be written to, as vectors from messages cannot: for a compiler another type."""
    copy = x.copy()
    copy.flags.writeable = False
    return copy
