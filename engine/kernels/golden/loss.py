"""Calls of losses."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: outputs that are close, far apart, equal, tiny, not finite; many, and one alone."""
    for N, K in ((7, 26), (5, 10), (1, 1)):
        wide = np.concatenate([x.values(N, K), x.values(N, K, scale=64), x.values(N, K, scale=TINY), x.few(N, K)])
        outputs = np.concatenate([wide, x.wild(2 * N, K), x.values(N, K, scale=2.0**126)])
        labels, losses, gradient = x.whole(K, len(outputs)), np.zeros(len(outputs)), space(*outputs.shape)
        yield Call("softmax_cross_entropy", (outputs, labels, losses, gradient))
        yield Call("mean_squared_error", (outputs, labels, losses, gradient))
        yield Call("squared_error_of_values", (outputs, x.values(*outputs.shape), losses, gradient))
