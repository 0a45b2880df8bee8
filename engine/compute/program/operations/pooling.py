"""Pooling by itself."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step
from engine.kernels.streams import Stream
from engine.nn.layers import AvgPool2d, MaxPool2d


class MaxPool(Operation):
    """Largest value of each window; which one it was is kept for the gradient."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        shape = y.shape
        # No window is larger than the image, so the number of a place in it stays small.
        self._size = min(cast(MaxPool2d, step.layers[0]).size, max(x.frame.H, x.frame.W))
        number = np.min_scalar_type(self._size**2 - 1)
        self._route = site.arena.keep(*shape, dtype=number)
        self._work = site.arena.scratch(f"{step.name} work", *shape, dtype=number)
        self._mask = site.arena.scratch(f"{step.name} mask", *shape, dtype=np.bool_)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = the largest of each window."""
        self.backend.max_pool(self.x.plane, self.y.plane, self.y.place, self._route, self._size, self._work)

    def backward(self) -> None:
        """Give the gradient to the value that won."""
        dy, dx = self.y.gradient_plane, self.x.gradient_plane
        self.backend.max_pool_gradient(dy, self.y.place, self._route, dx, self._size, self._mask)


class AveragePool(Operation):
    """Mean of each window."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._size = self.window(step)

    @classmethod
    def window(cls, step: Step) -> int:
        """Return how many rows and columns a window has, at most."""
        return cast(AvgPool2d, step.layers[0]).size

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = the mean of each window."""
        self.backend.average_pool(self.x.plane, self.y.plane, self.y.place, self._size)

    def backward(self) -> None:
        """Give each value of a window its share of the gradient."""
        self.backend.average_pool_gradient(self.y.gradient_plane, self.y.place, self.x.gradient_plane, self._size)


class GlobalAverage(AveragePool):
    """Mean of the whole image."""

    @classmethod
    def window(cls, step: Step) -> int:
        """Return a number that no edge exceeds."""
        return max(step.input)
