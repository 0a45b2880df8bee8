"""3 x 3 convolution of stride 1 by Winograd's minimal filtering, alone or with the 2 x 2 max-pool that follows.

A tile of 2 x 2 outputs needs 16 products in place of 36, spread over 16 matrix products [tiles * N, C] @ [C, O]. It is
the pool's window, too, so the fused operation never writes the convolution's output. The filter's gradient is summed up
in the transformed domain over all chunks of a micro-batch and transformed back once, by the last chunk.
"""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.program.buffers import Activation, Frame
from engine.program.operations.base import Operation, Site, Step, accumulate, parameter
from engine.program.operations.convolution import convolution_work, geometry


class Winograd(Operation):
    """The convolution alone."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, C = geometry(step)
        N, t, s = x.value.shape[2], *tiles(step)
        self._last = site.last
        self._size = conv_size(step)
        self._filter, self._bias = (parameter(step, name, site.weights) for name in ("filter", "bias"))
        self._transformed = site.weights.winograd(f"{layer.name}.filter")
        arena, name = site.arena, step.name
        self._v = arena.keep(4, 4, t, s, N * C)
        self._m = arena.scratch(f"{name} m", 4, 4, t, s, N * layer.filters)
        self._dv = arena.scratch(f"{name} dv", *self._v.shape)
        self._du = arena.scratch(f"{name} du", 4, 4, C, layer.filters)
        self._product = arena.scratch(f"{name} product", *self._du.shape)
        work = max(4 * t * (2 * s + 2) * N * C, 12 * t * s * N * layer.filters)
        self._work = arena.scratch(f"{name} work", work)
        self._vs, self._dvs = (a.reshape(16, -1, C) for a in (self._v, self._dv))
        self._ms = self._m.reshape(16, -1, layer.filters)
        self._dus, self._products = (a.reshape(16, C, -1) for a in (self._du, self._product))
        self._x, self._dx, self._y, self._dy = (_plane(a) for a in (x.value, x.gradient, y.value, y.gradient))

    @classmethod
    def input_frame(cls, step: Step) -> Frame:
        """Return a frame of whole tiles."""
        H, W, C = step.input
        t, s = tiles(step)
        return Frame(H, W, C, geometry(step)[0].padding, 2 * t + 2, 2 * s + 2)

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 * 9 C operations an output of the convolution."""
        return convolution_work(step)

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the transformed inputs and outputs."""
        layer, C = geometry(step)
        return 4 * 16 * prod(tiles(step)) * (C + layer.filters)

    def forward(self, rng: np.random.Generator | None) -> None:  # noqa: ARG002
        """Transform x, multiply, transform to y."""
        self.backend.winograd_input(self._x, self._v, self._work)
        np.matmul(self._vs, self._transformed.u, out=self._ms)
        self._output()

    def backward(self) -> None:
        """Do all that in reverse: bias' and filter' of the layer, then x'."""
        if self.first:
            self._bias.gradient.fill(0)
        self.backend.add_bias_gradient(
            self._dy, self.y.frame.start, self.y.frame.H, self.y.frame.W, self._bias.gradient
        )
        self._output_gradient()
        accumulate(self._dus, self._vs.transpose(0, 2, 1), self._ms, self._products, self.first)
        if self._last:
            self.backend.winograd_filter_gradient(self._du, self._filter.gradient)
        if self.x.gradient is not None:
            np.matmul(self._ms, self._transformed.ut, out=self._dvs)
            self.backend.winograd_input_gradient(self._dv, self._dx, self._work)

    def _output(self) -> None:
        self.backend.winograd_output(self._m, self._bias.value, self._y, self.y.frame.start, self._size, self._work)

    def _output_gradient(self) -> None:
        self.backend.winograd_output_gradient(self._dy, self.y.frame.start, self._size, self._m, self._work)


class WinogradPool(Winograd):
    """The convolution and the pool. The bias is added after the pool, with which it commutes."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._route = site.arena.keep(*self._m.shape[2:], dtype=np.uint8)

    def _output(self) -> None:
        self.backend.winograd_pool(
            self._m, self._bias.value, self._y, self.y.frame.start, self._route, self._size, self._work
        )

    def _output_gradient(self) -> None:
        self.backend.winograd_pool_gradient(self._dy, self.y.frame.start, self._route, self._m, self._work)


def conv_size(step: Step) -> tuple[int, int]:
    """Return the rows and columns that the convolution of `step` puts out."""
    h, w, _ = step.layers[0].output_shape(step.input)
    return h, w


def tiles(step: Step) -> tuple[int, int]:
    """Return how many rows and columns of 2 x 2 tiles cover the output of the convolution."""
    h, w = conv_size(step)
    return -(-h // 2), -(-w // 2)


def _plane(a: NDArray[Any] | None) -> NDArray[Any]:
    """Return [height, width, N, C] as [height, width, N * C]; where there is none, nothing."""
    return np.empty((0, 0, 0), np.float32) if a is None else a.reshape(*a.shape[:2], -1)
