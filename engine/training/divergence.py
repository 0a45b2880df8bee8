"""Where in a network numbers stopped being finite, or are large."""

import numpy as np

from engine.compute.evaluator import Evaluator
from engine.nn.parameters import Layout, Vector, norm
from engine.training.run import Run


def first_not_finite(run: Run, step: int, layout: Layout, parameters: Vector, gradient: Vector) -> str:
    """Return the first layer whose output is not finite for the batch of `step`, or else whose gradient is not."""
    evaluator = Evaluator(run.job(), run.data)
    evaluator.prepare(parameters)
    if layer := evaluator.first_nonfinite(step):
        return layer
    bad = [name for name in layout.specs if not np.isfinite(layout.view(gradient, name)).all()]
    return bad[-1].partition(".")[0] if bad else "the loss"


def largest(layout: Layout, gradient: Vector) -> str:
    """Return the layer whose part of the gradient has the largest norm."""
    squares: dict[str, float] = {}
    for name in layout.specs:
        layer = name.partition(".")[0]
        squares[layer] = squares.get(layer, 0.0) + norm(gradient[layout.slices[name]]) ** 2
    return max(squares, key=squares.__getitem__)
