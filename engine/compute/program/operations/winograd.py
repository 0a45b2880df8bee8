"""3 x 3 convolution of stride 1 by Winograd's minimal filtering, alone or with the 2 x 2 max-pool that follows.

A tile of 4 x 4 outputs needs 36 products in place of 144, spread over 36 matrix products [tiles * N, C] @ [C, O]. It is
four windows of the pool, too, so the fused operation never writes the convolution's output.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from engine.compute.program.buffers import Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.compute.program.operations.convolution import bias_of, convolution_work, geometry
from engine.kernels import Backend
from engine.kernels.streams import Stream
from engine.kernels.table import Route

FEW = 4  # tiles of a sample, below which the products are too small to pay for another transform of the filter
APART = 16  # values: a line of the cache
NO_ROUTE = np.empty((0, 0, 0), np.uint8)


class Winograd(Operation):
    """The convolution alone."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, _ = geometry(step)
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._has_bias = layer.bias
        self._transformed = site.weights.winograd(f"{layer.name}.filter", turned=prod(tiles(step)) >= FEW)
        self._size, self._route = conv_size(step), self._routes(site)
        self._work, self._waiting = self.scratch

    def _routes(self, site: Site) -> Route:  # noqa: ARG002
        return NO_ROUTE

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:
        """Return the shapes of the kernels' scratch."""
        layer, C = geometry(step)
        work = backend.winograd_work(tiles(step), N, C, layer.filters, microbatch)
        return [(work,), (levels(N, microbatch) * layer.filters,)]

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return a frame of whole tiles. Pixels at multiples of 4096 bytes would be in one another's way in caches."""
        H, W, C = step.input
        t, s = tiles(step)
        return PaddedShape(H, W, C, geometry(step)[0].borders(step.input)[0][0], 4 * t + 2, 4 * s + 2, APART)

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 * 9 C operations an output of the convolution."""
        return convolution_work(step)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = the convolution of x, + bias."""
        x, y, u, bias = self.x.plane, self.y, self._transformed.u, self._bias.value
        self.backend.winograd(x, self.x.N, u, bias, y.plane, y.place, self._route, self._size, self._work)

    def backward(self) -> None:
        """Compute bias' and filter' of the layer, and x'."""
        kernels, x, y, bias = self.backend, self.x, self.y, self._bias.gradient
        dy, ut, dw, microbatch = y.gradient_plane, self._transformed.ut, self._filter.gradient, self.microbatch
        if self._has_bias:
            kernels.bias_gradient(dy, y.place, y.shape, bias, microbatch, self._waiting)
        kernels.winograd_gradient(
            *(x.plane, x.N, dy, y.place, self._route, self._size, ut, x.gradient_plane, dw),
            *(microbatch, self._work),
        )


class WinogradPool(Winograd):
    """The convolution and the pool. The bias is added after the pool, with which it commutes."""

    def _routes(self, site: Site) -> Route:
        return site.arena.keep(*self.y.shape, dtype=np.uint8)


def conv_size(step: Step) -> tuple[int, int]:
    """Return the rows and columns that the convolution of `step` puts out."""
    h, w, _ = step.layers[0].output_shape(step.input)
    return h, w


def tiles(step: Step) -> tuple[int, int]:
    """Return how many rows and columns of 4 x 4 tiles cover the output of the convolution."""
    h, w = conv_size(step)
    return -(-h // 4), -(-w // 4)
