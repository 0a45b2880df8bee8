"""Operations on each value by itself. The border of a buffer is 0 and stays 0, so it is computed along."""

from typing import cast

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step
from engine.nn.layers import Dropout


class Elementwise(Operation):
    """Base: x and y, and their gradients, as flat vectors."""

    keeps_frame = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._x, self._y = x.value.reshape(-1), y.value.reshape(-1)
        if x.gradient is not None and y.gradient is not None:
            self._dx, self._dy = x.gradient.reshape(-1), y.gradient.reshape(-1)


class ReluOp(Elementwise):
    """max(x, 0); where it was above 0 is kept."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._mask = site.arena.keep(x.value.size, dtype=np.bool_)

    def forward(self, rng: np.random.Generator | None) -> None:  # noqa: ARG002
        """Let y = max(x, 0)."""
        self.backend.relu(self._x, self._y, self._mask)

    def backward(self) -> None:
        """Let x' = y' where x was above 0."""
        self.backend.relu_gradient(self._mask, self._dy, self._dx)


class GeluOp(Elementwise):
    """x Phi(x); Phi(x) is kept."""

    keeps_input = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._phi = site.arena.keep(x.value.size)

    def forward(self, rng: np.random.Generator | None) -> None:  # noqa: ARG002
        """Let y = x Phi(x)."""
        self.backend.gelu(self._x, self._y, self._phi)

    def backward(self) -> None:
        """Let x' = y' (Phi(x) + x phi(x))."""
        self.backend.gelu_gradient(self._x, self._phi, self._dy, self._dx)


class DropoutOp(Elementwise):
    """Inverted dropout: the mask, 0 or 1 / (1 - rate), is drawn at each forward pass with a generator and kept."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        rate = cast(Dropout, step.layers[0]).rate
        self._rate, self._scale = np.float32(rate), np.float32(1 / (1 - rate))
        self._mask = site.arena.keep(x.value.size)

    def forward(self, rng: np.random.Generator | None) -> None:
        """Let y = x * mask; without a generator y = x."""
        if rng is None:
            self._mask.fill(1)
        else:
            rng.random(out=self._mask, dtype=np.float32)
            np.greater_equal(self._mask, self._rate, out=self._mask)
            np.multiply(self._mask, self._scale, out=self._mask)
        np.multiply(self._x, self._mask, out=self._y)

    def backward(self) -> None:
        """Let x' = y' * mask."""
        np.multiply(self._dy, self._mask, out=self._dx)
