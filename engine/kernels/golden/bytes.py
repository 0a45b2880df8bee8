"""Calls of what bytes become."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: of one channel and of more, of bytes that may be written and of those that are a data set's."""
    for C in (1, 3):
        values, tables = x.whole(256, 70, C).astype(np.uint8), x.wild(C, 256)
        data = values[::-1].copy()
        data.flags.writeable = False
        for some in (values, data):
            yield Call("translate", (some, tables, space(70, C)))
