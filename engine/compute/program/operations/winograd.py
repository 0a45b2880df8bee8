"""3 x 3 convolution of stride 1 by Winograd's minimal filtering, alone or with the 2 x 2 max-pool that follows.

A tile of 4 x 4 outputs needs 36 products in place of 144, spread over 36 matrix products [tiles * N, C] @ [C, O]. It is
four windows of the pool, too, so the fused operation never writes the convolution's output. Rows of tiles are done in
bands that suit the cache. The filter's gradient is summed up in the transformed domain over all bands and chunks of a
micro-batch, and transformed back once, by the last chunk.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from engine.compute.program.buffers import NO_SCRATCH, Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step, parameter
from engine.compute.program.operations.convolution import bias_of, convolution_work, geometry
from engine.compute.program.weights import FILTER_WORK
from engine.kernels import Array
from engine.kernels.streams import Stream
from engine.kernels.table import Route, Size

FEW = 4  # tiles of a sample, below which the products are too small to pay for another transform of the filter
NO_ROUTE = np.empty((0, 0, 0), np.uint8)


@dataclass(frozen=True)
class Band:
    """Some rows of tiles: those of the planes x and y and of their gradients that belong to them, from `start` on.

    v and m [6, 6, rows, s, L] are transformed inputs and outputs, vs and ms the same as stacks of 36 matrices. `size`
    is the number of rows and columns that the convolution puts out from here on.
    """

    start: int
    x: Array
    dx: Array
    v: Array
    m: Array
    vs: Array
    ms: Array
    y: Array
    dy: Array
    route: Route
    size: Size


class Winograd(Operation):
    """The convolution alone."""

    takes_parts = True
    pooled = 1  # how many rows of outputs become one

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, C = geometry(step)
        self._last = site.last
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._has_bias = layer.bias
        self._transformed = site.weights.winograd(f"{layer.name}.filter", turned=prod(tiles(step)) >= FEW)
        self._m, self._product, self._work = self.scratch
        self._route = self._routes(site)
        self._du = site.arena.scratch(f"{step.name} du", 36, C, layer.filters)
        t, at_once = tiles(step)[0], site.backend.tile_rows
        self._bands = [self._band(start, min(at_once, t - start), site) for start in range(0, t, at_once)]

    def _routes(self, site: Site) -> Route:  # noqa: ARG002
        return NO_ROUTE

    def _band(self, start: int, rows: int, site: Site) -> Band:
        (layer, C), (_, s), (h, w), N = geometry(self.step), tiles(self.step), conv_size(self.step), self.x.N
        plane, out = slice(4 * start, 4 * (start + rows) + 2), 4 * start // self.pooled
        v = site.arena.keep(6, 6, rows, s, N * C)
        m = self._m[: 36 * rows * s * N * layer.filters].reshape(6, 6, rows, s, -1)
        vs, ms = v.reshape(36, -1, C), m.reshape(36, -1, layer.filters)
        x, dx, y, dy = self.x.plane, self.x.gradient_plane, self.y.plane, self.y.gradient_plane
        route = self._route[out : out + 4 * rows // self.pooled]
        size = min(4 * rows, h - 4 * start), w
        return Band(start, x[plane], dx[plane], v, m, vs, ms, y[out:], dy[out:], route, size)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int) -> list[tuple[int, ...]]:
        """Return the shapes of m, of a product for the filter's gradient, and of the kernels' scratch."""
        (layer, C), (t, s) = geometry(step), tiles(step)
        work = max(t * s * N * max(36 * C, 41 * layer.filters), FILTER_WORK)
        return [(36 * t * s * N * layer.filters,), (36 * C * layer.filters,), (work,)]

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return a frame of whole tiles."""
        H, W, C = step.input
        t, s = tiles(step)
        above = geometry(step)[0].borders(step.input)[0][0]
        return PaddedShape(H, W, C, above, 4 * t + 2, 4 * s + 2)

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
        for band in self._bands:
            self.backend.winograd_input(band.x, band.v, self._work)
            self.backend.multiply(band.vs, self._transformed.u, band.ms, False, NO_SCRATCH)
            self._output(band)

    def backward(self) -> None:
        """Do all that in reverse: bias' and filter' of the layer, then x'."""
        kernels, y, bias = self.backend, self.y, self._bias.gradient
        if self._has_bias:
            if self.first:
                bias.fill(0)
            kernels.add_bias_gradient(y.gradient_plane, y.place, y.shape, bias)
        for band in self._bands:
            below = band.start > 0
            self._output_gradient(band)
            kernels.multiply_columns(band.vs, band.ms, self._du, below or not self.first, self._product)
            if self.x.gradient is not None:
                # v has served its purpose, and is in the cache.
                kernels.multiply(band.ms, self._transformed.ut, band.vs, False, NO_SCRATCH)
                kernels.winograd_input_gradient(band.v, band.dx, below, self._work)
        if self._last:
            du = self._du.reshape(6, 6, *self._du.shape[1:])
            kernels.winograd_filter_gradient(du, self._filter.gradient, self._work)

    def _output(self, band: Band) -> None:
        self.backend.winograd_output(band.m, self._bias.value, band.y, self.y.place, band.size, self._work)

    def _output_gradient(self, band: Band) -> None:
        self.backend.winograd_output_gradient(band.dy, self.y.place, band.size, band.m, self._work)


class WinogradPool(Winograd):
    """The convolution and the pool. The bias is added after the pool, with which it commutes."""

    pooled = 2

    def _routes(self, site: Site) -> Route:
        return site.arena.keep(*self.y.shape, dtype=np.uint8)

    def _output(self, band: Band) -> None:
        place, bias = self.y.place, self._bias.value
        self.backend.winograd_pool(band.m, bias, band.y, place, band.route, band.size, self._work)

    def _output_gradient(self, band: Band) -> None:
        self.backend.winograd_pool_gradient(band.dy, self.y.place, band.route, band.size, band.m, self._work)


def conv_size(step: Step) -> tuple[int, int]:
    """Return the rows and columns that the convolution of `step` puts out."""
    h, w, _ = step.layers[0].output_shape(step.input)
    return h, w


def tiles(step: Step) -> tuple[int, int]:
    """Return how many rows and columns of 4 x 4 tiles cover the output of the convolution."""
    h, w = conv_size(step)
    return -(-h // 4), -(-w // 4)
