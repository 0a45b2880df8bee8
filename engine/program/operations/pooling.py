"""Max-pooling by itself."""

from typing import cast

import numpy as np

from engine.layers import MaxPool2d
from engine.program.buffers import Activation
from engine.program.operations.base import Operation, Site, Step


class Pool(Operation):
    """Largest value of each window; which one it was is kept for the gradient."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        f, L = y.frame, x.value.shape[2] * x.value.shape[3]
        # No window is larger than the image, so the number of a place in it stays small.
        self._size = min(cast(MaxPool2d, step.layers[0]).size, max(x.frame.H, x.frame.W))
        number = np.min_scalar_type(self._size**2 - 1)
        self._route = site.arena.keep(f.H, f.W, L, dtype=number)
        self._work = site.arena.scratch(f"{step.name} work", f.H, f.W, L, dtype=number)
        self._mask = site.arena.scratch(f"{step.name} mask", f.H, f.W, L, dtype=np.bool_)
        self._x, self._y = (a.value.reshape(*a.value.shape[:2], L) for a in (x, y))
        if x.gradient is not None and y.gradient is not None:
            self._dx, self._dy = (a.reshape(*a.shape[:2], L) for a in (x.gradient, y.gradient))

    def forward(self, rng: np.random.Generator | None) -> None:  # noqa: ARG002
        """Let y = the largest of each window."""
        self.backend.max_pool(self._x, self._y, self.y.frame.start, self._route, self._size, self._work)

    def backward(self) -> None:
        """Give the gradient to the value that won."""
        start = self.y.frame.start
        self.backend.max_pool_gradient(self._dy, start, self._route, self._dx, self._size, self._mask)
