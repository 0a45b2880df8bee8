"""Operations on each value by itself. The border of a buffer is 0 and stays 0, so it is computed along."""

from collections.abc import Sequence
from math import prod
from typing import cast

import numpy as np

from engine.compute.program.buffers import Activation, samples_of
from engine.compute.program.operations.base import Operation, Site, Step
from engine.kernels.streams import Stream
from engine.nn.layers import Dropout


class Elementwise(Operation):
    """Base: x and y, and their gradients, as flat vectors, with all that lies between the pixels."""

    keeps_frame = True
    in_parts = False

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._x, self._y = x.plane.reshape(-1), y.plane.reshape(-1)
        self._dx, self._dy = x.gradient_plane.reshape(-1), y.gradient_plane.reshape(-1)


class ReluOp(Elementwise):
    """max(x, 0); where it was above 0 is kept."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._mask = site.arena.keep(x.plane.size, dtype=np.bool_)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = max(x, 0)."""
        self.backend.relu(self._x, self._y, self._mask)

    def backward(self) -> None:
        """Let x' = y' where x was above 0."""
        self.backend.relu_gradient(self._mask, self._dy, self._dx)


class GeluOp(Elementwise):
    """x Phi(x); Phi(x) is kept."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._phi = site.arena.keep(x.plane.size)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = x Phi(x)."""
        self.backend.gelu(self._x, self._y, self._phi)

    def backward(self) -> None:
        """Let x' = y' (Phi(x) + x phi(x))."""
        self.backend.gelu_gradient(self._x, self._phi, self._dy, self._dx)


class DropoutOp(Elementwise):
    """Inverted dropout: the mask, 0 or 1 / (1 - rate), is drawn at each forward pass with random numbers and kept.

    The layer has a branch of each micro-batch's stream for itself, and each sample whole blocks of it.
    """

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._rate = float(cast(Dropout, step.layers[0]).rate)
        self._mask = site.arena.keep(x.plane.size)
        masks = samples_of(self._mask.reshape(x.plane.shape), x.N, x.frame.C)
        self._images = x.inside(masks).transpose(2, 0, 1, 3)  # [N, H, W, C]
        self._rows = site.arena.scratch(f"{step.name} rows", x.N, prod(step.input))
        self._branch = 1 + step.place

    def forward(self, rngs: Sequence[Stream]) -> None:
        """Let y = x * mask; without random numbers y = x."""
        for number, rng in enumerate(rngs):
            rows = self._rows[number * self.microbatch : (number + 1) * self.microbatch]
            self.backend.dropout_mask(rng.key, rng.counter(0, self._branch), self._rate, rows)
        if rngs:
            np.copyto(self._images, self._rows.reshape(self._images.shape))
        else:
            self._mask.fill(1)
        np.multiply(self._x, self._mask, out=self._y)

    def backward(self) -> None:
        """Let x' = y' * mask."""
        np.multiply(self._dy, self._mask, out=self._dx)
