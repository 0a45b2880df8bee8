"""Fully connected layers."""

from math import prod

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step, parameter
from engine.kernels.streams import Stream


class DenseOp(Operation):
    """Rows of features: [N, F] @ weights^T [F, G] + bias."""

    keeps_input = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._weights, self._bias = (parameter(step, name, site.weights) for name in ("weights", "bias"))
        self._x, self._y = (a.value.reshape(-1, a.frame.C) for a in (x, y))
        self._dx = None if x.gradient is None else x.gradient.reshape(self._x.shape)
        if y.gradient is not None:
            self._dy = y.gradient.reshape(self._y.shape)

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 F G operations."""
        return 2 * prod(step.input) * prod(step.output)

    def forward(self, rng: Stream | None) -> None:  # noqa: ARG002
        """Let y = x W^T + b."""
        np.dot(self._x, self._weights.value.T, out=self._y)
        np.add(self._y, self._bias.value, out=self._y)

    def backward(self) -> None:
        """Let W' = y'^T x; b' = the sum of the rows of y'; x' = y' W."""
        np.dot(self._dy.T, self._x, out=self._weights.gradient)
        np.add.reduce(self._dy, axis=0, out=self._bias.gradient)
        if self._dx is not None:
            np.dot(self._dy, self._weights.value, out=self._dx)
