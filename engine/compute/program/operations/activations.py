"""Activations of which something is kept for the gradient."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Site, Step
from engine.compute.program.operations.elementwise import Elementwise
from engine.kernels.streams import Stream
from engine.nn.layers import LeakyRelu


class TanhOp(Elementwise):
    """tanh(x)."""

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = tanh(x)."""
        self.backend.tanh(self._x, self._y)

    def backward(self) -> None:
        """Let x' = y' (1 - y^2)."""
        self.backend.tanh_gradient(self._y, self._dy, self._dx)


class SigmoidOp(Elementwise):
    """1 / (1 + e^-x)."""

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = 1 / (1 + e^-x)."""
        self.backend.sigmoid(self._x, self._y)
        self.y.clear_border()

    def backward(self) -> None:
        """Let x' = y' y (1 - y)."""
        self.backend.sigmoid_gradient(self._y, self._dy, self._dx)


class SiluOp(Elementwise):
    """x / (1 + e^-x). To compute again what x is multiplied by takes less time than to keep it."""

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = x / (1 + e^-x)."""
        self.backend.silu(self._x, self._y)

    def backward(self) -> None:
        """Let x' = y' g (1 + x (1 - g)), g = 1 / (1 + e^-x)."""
        self.backend.silu_gradient(self._x, self._dy, self._dx)


class SoftplusOp(Elementwise):
    """log(1 + e^x); its slope is kept."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._slope = site.arena.keep(x.plane.size)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = log(1 + e^x)."""
        self.backend.softplus(self._x, self._y, self._slope)
        self.y.clear_border()

    def backward(self) -> None:
        """Let x' = y' / (1 + e^-x)."""
        np.multiply(self._dy, self._slope, out=self._dx)


class LeakyReluOp(Elementwise):
    """x above 0, slope * x below."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._slope = float(cast(LeakyRelu, step.layers[0]).slope)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = x where x > 0, slope * x elsewhere."""
        self.backend.leaky_relu(self._x, self._y, self._slope)

    def backward(self) -> None:
        """Let x' = y' where x > 0, slope * y' elsewhere."""
        self.backend.leaky_relu_gradient(self._x, self._dy, self._dx, self._slope)
