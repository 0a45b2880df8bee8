"""3 x 3 convolution of stride 1 by Winograd's minimal filtering, alone or with the 2 x 2 max-pool that follows.

A tile of 4 x 4 outputs needs 36 products in place of 144, spread over 36 matrix products [tiles * N, C] @ [C, O]. It is
four windows of the pool, too, so the fused operation never writes the convolution's output. The filter's gradient is
summed up in the transformed domain over all chunks of a micro-batch and transformed back once, by the last chunk.
"""

from math import prod

import numpy as np

from engine.compute.program.buffers import Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step, accumulate, parameter
from engine.compute.program.operations.convolution import convolution_work, geometry
from engine.compute.program.weights import FILTER_WORK
from engine.kernels.streams import Stream

FEW = 4  # tiles of a sample, below which the products are too small to pay for another transform of the filter


class Winograd(Operation):
    """The convolution alone."""

    takes_parts = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, C = geometry(step)
        self._last, self._size = site.last, conv_size(step)
        self._filter, self._bias = (parameter(step, name, site.weights) for name in ("filter", "bias"))
        self._transformed = site.weights.winograd(f"{layer.name}.filter", turned=prod(tiles(step)) >= FEW)
        self._m, self._product, self._work = self.scratch
        self._v = site.arena.keep(6, 6, *tiles(step), x.N * C)
        self._du = site.arena.scratch(f"{step.name} du", *self._product.shape)
        # The same arrays as stacks of 36 matrices.
        self._vs, self._ms = self._v.reshape(36, -1, C), self._m.reshape(36, -1, layer.filters)
        self._dus, self._products = (a.reshape(36, C, -1) for a in (self._du, self._product))

    @classmethod
    def scratch_shapes(cls, step: Step, N: int) -> list[tuple[int, ...]]:
        """Return the shapes of m, of a product for the filter's gradient, and of the kernels' scratch."""
        (layer, C), (t, s) = geometry(step), tiles(step)
        work = max(t * s * N * max(36 * C, 41 * layer.filters), FILTER_WORK)
        return [(6, 6, t, s, N * layer.filters), (6, 6, C, layer.filters), (work,)]

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return a frame of whole tiles."""
        H, W, C = step.input
        t, s = tiles(step)
        return PaddedShape(H, W, C, geometry(step)[0].padding, 4 * t + 2, 4 * s + 2)

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 * 9 C operations an output of the convolution."""
        return convolution_work(step)

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the transformed inputs and outputs."""
        layer, C = geometry(step)
        return 4 * 36 * prod(tiles(step)) * (C + layer.filters)

    def forward(self, rng: Stream | None) -> None:  # noqa: ARG002
        """Transform x, multiply, transform to y."""
        self.backend.winograd_input(self.x.plane, self._v, self._work)
        np.matmul(self._vs, self._transformed.u, out=self._ms)
        self._output()

    def backward(self) -> None:
        """Do all that in reverse: bias' and filter' of the layer, then x'."""
        y, bias = self.y, self._bias.gradient
        if self.first:
            bias.fill(0)
        self.backend.add_bias_gradient(y.gradient_plane, y.place, y.shape, bias)
        self._output_gradient()
        accumulate(self._dus, self._vs.transpose(0, 2, 1), self._ms, self._products, self.first)
        if self._last:
            self.backend.winograd_filter_gradient(self._du, self._filter.gradient, self._work)
        if self.x.gradient is not None:
            # v has served its purpose, and is in the cache.
            np.matmul(self._ms, self._transformed.ut, out=self._vs)
            self.backend.winograd_input_gradient(self._v, self.x.gradient_plane, self._work)

    def _output(self) -> None:
        y = self.y
        self.backend.winograd_output(self._m, self._bias.value, y.plane, y.place, self._size, self._work)

    def _output_gradient(self) -> None:
        y = self.y
        self.backend.winograd_output_gradient(y.gradient_plane, y.place, self._size, self._m, self._work)


class WinogradPool(Winograd):
    """The convolution and the pool. The bias is added after the pool, with which it commutes."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._route = site.arena.keep(*y.shape, dtype=np.uint8)

    def _output(self) -> None:
        y, route = self.y, self._route
        self.backend.winograd_pool(self._m, self._bias.value, y.plane, y.place, route, self._size, self._work)

    def _output_gradient(self) -> None:
        y = self.y
        route, size = self._route, self._size
        self.backend.winograd_pool_gradient(y.gradient_plane, y.place, route, size, self._m, self._work)


def conv_size(step: Step) -> tuple[int, int]:
    """Return the rows and columns that the convolution of `step` puts out."""
    h, w, _ = step.layers[0].output_shape(step.input)
    return h, w


def tiles(step: Step) -> tuple[int, int]:
    """Return how many rows and columns of 4 x 4 tiles cover the output of the convolution."""
    h, w = conv_size(step)
    return -(-h // 4), -(-w // 4)
