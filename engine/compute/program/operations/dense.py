"""Fully connected layers."""

from math import prod

import numpy as np

from engine.compute.program.buffers import NO_SCRATCH, Activation
from engine.compute.program.operations.base import Operation, Site, Step, parameter
from engine.kernels.streams import Stream


class DenseOp(Operation):
    """Rows of features: [N, F] @ weights^T [F, G] + bias."""

    keeps_input = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._weights, self._bias = (parameter(step, name, site.weights) for name in ("weights", "bias"))
        self._turned = site.weights.turned(f"{step.layers[0].name}.weights", self._weights.value.shape)
        self._x, self._y = (a.value.reshape(1, -1, a.frame.C) for a in (x, y))
        self._dx = None if x.gradient is None else x.gradient.reshape(self._x.shape)
        if y.gradient is not None:
            self._dy = y.gradient.reshape(self._y.shape)

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 F G operations."""
        return 2 * prod(step.input) * prod(step.output)

    def forward(self, rng: Stream | None) -> None:  # noqa: ARG002
        """Let y = x W^T + b."""
        self.backend.multiply(self._x, self._turned, self._y, False, NO_SCRATCH)
        np.add(self._y, self._bias.value, out=self._y)

    def backward(self) -> None:
        """Let W' = y'^T x; b' = the sum of the rows of y'; x' = y' W."""
        kernels, weights, bias = self.backend, self._weights, self._bias.gradient
        kernels.multiply_columns(self._dy, self._x, weights.gradient[None], False, NO_SCRATCH)
        bias.fill(0)
        kernels.add_bias_gradient(self._dy.reshape(1, 1, -1), (0, 0), (1, 1, self._dy.size), bias)
        if self._dx is not None:
            kernels.multiply(self._dy, weights.value[None], self._dx, False, NO_SCRATCH)
