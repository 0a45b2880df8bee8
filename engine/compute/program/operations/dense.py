"""Fully connected layers."""

from collections.abc import Sequence
from math import prod

import numpy as np

from engine.compute.program.buffers import NO_SCRATCH, Activation
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.kernels import Backend
from engine.kernels.streams import Stream


class DenseOp(Operation):
    """Rows of features: [N, F] @ weights^T [F, G] + bias."""

    in_parts = False

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._weights, self._bias = (parameter(step, name, site.weights) for name in ("weights", "bias"))
        self._turned = site.weights.turned(f"{step.layers[0].name}.weights", self._weights.value.shape)
        self._x, self._y = (a.value.reshape(1, -1, a.frame.C) for a in (x, y))
        self._dx = None if x.gradient is None else x.gradient.reshape(self._x.shape)
        (self._work,) = self.scratch
        if y.gradient is not None:
            self._dy = y.gradient.reshape(self._y.shape)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:  # noqa: ARG003
        """Return the shape of the sums of micro-batches that wait to be added up."""
        return [(levels(N, microbatch) * prod(step.output) * max(16, prod(step.input)),)]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 F G operations."""
        return 2 * prod(step.input) * prod(step.output)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = x W^T + b."""
        self.backend.multiply(self._x, self._turned, self._y, False, NO_SCRATCH)
        np.add(self._y, self._bias.value, out=self._y)

    def backward(self) -> None:
        """Let W' = y'^T x; b' = the sum of the rows of y'; x' = y' W."""
        kernels, weights, bias, work = self.backend, self._weights, self._bias.gradient, self._work
        kernels.matrix_gradient(self._dy, self._x, weights.gradient, self.microbatch, work)
        kernels.bias_gradient(self._dy.reshape(1, 1, -1), (0, 0), (1, 1, self._dy.size), bias, self.microbatch, work)
        if self._dx is not None:
            kernels.multiply(self._dy, weights.value[None], self._dx, False, NO_SCRATCH)
