"""Convolution of any kernel, stride and padding as one matrix product of all patches."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import cast

import numpy as np

from engine.compute.program.buffers import NO_SCRATCH, Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.compute.program.weights import Parameter, Weights
from engine.kernels import Backend
from engine.kernels.streams import Stream
from engine.kernels.table import Size
from engine.nn.layers import Conv2d


def geometry(step: Step) -> tuple[Conv2d, int]:
    """Return the convolution of `step` and its number of input channels."""
    return cast(Conv2d, step.layers[0]), step.input[2]


def convolution_work(step: Step) -> int:
    """Return the multiplications and additions of the convolution of `step` for one sample."""
    layer, C = geometry(step)
    return 2 * prod(layer.output_shape(step.input)) * prod(layer.window) * C


def bias_of(step: Step, weights: Weights) -> Parameter:
    """Return the bias of the convolution of `step`; if it has none, zeros, whose gradient nobody looks at."""
    layer, _ = geometry(step)
    if layer.bias:
        return parameter(step, "bias", weights)
    return Parameter(np.zeros(layer.filters, np.float32), np.zeros(layer.filters, np.float32))


def padded(step: Step) -> PaddedShape:
    """Return a frame with at least the padding of the convolution of `step` on every side."""
    H, W, C = step.input
    (above, below), (left, right) = geometry(step)[0].borders(step.input)
    start = max(above, left)
    return PaddedShape(H, W, C, start, start + H + below, start + W + right)


CACHE = 96 << 10  # values of patches that are computed with while they are in the cache


class Convolution(Operation):
    """Patches to rows (im2col), then [h w N, k l C] @ [k l C, O]; the patches are kept for the filter's gradient.

    It is done for some rows of the output at a time.
    """

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, C = geometry(step)
        K, filters = prod(layer.window) * C, layer.filters
        (above, _), (left, _) = layer.borders(step.input)
        self._steps, self._origin = layer.steps, (x.frame.start - above, x.frame.start - left)
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._has_bias = layer.bias
        self._out, self._work, self._columns_gradient = self.scratch
        self._columns = site.arena.keep(len(self._out), *self._columns_gradient.shape[1:])
        self._by_place = self._columns.reshape(-1, x.N, K), self._out.reshape(-1, x.N, filters)
        self._height = len(self._columns_gradient)
        self._matrix = 1, K, filters
        self._turned = site.weights.turned(f"{layer.name}.filter", (K, filters))
        if y.gradient is not None:
            self._inside_gradient = y.inside(y.gradient)

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return a frame with at least the layer's padding on every side."""
        return padded(step)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:  # noqa: ARG003
        """Return the shapes of the output, of sums of micro-batches that wait, and of some patches' gradient."""
        (layer, C), (h, w, filters) = geometry(step), step.output
        waiting = levels(N, microbatch) * filters * max(16, prod(layer.window) * C)
        at_once = min(h, max(1, CACHE // (w * N * prod(layer.window) * C)))
        return [(h, w, N * filters), (waiting,), (at_once, w, N, *layer.window, C)]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 k l C operations an output."""
        return convolution_work(step)

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the patches and outputs."""
        layer, C = geometry(step)
        return 4 * step.output[0] * step.output[1] * (prod(layer.window) * C + layer.filters)

    def _parts(self) -> Iterator[tuple[slice, Size]]:
        """Yield some rows of the output, and where the first patch of them begins."""
        top, left = self._origin
        for first in range(0, len(self._out), self._height):
            yield slice(first, first + self._height), (top + first * self._steps[0], left)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = patches @ filter + bias."""
        kernels, K, filters = self.backend, *self._matrix[1:]
        matrix = self._filter.value.reshape(self._matrix)
        for part, origin in self._parts():
            columns, out = self._columns[part], self._out[part].reshape(1, -1, filters)
            kernels.im2col(self.x.value, columns, self._steps, origin)
            kernels.multiply(columns.reshape(1, -1, K), matrix, out, False, NO_SCRATCH)
        kernels.add_bias(self._out, self._bias.value, self.y.plane, self.y.place)

    def backward(self) -> None:
        """Let filter' = patches^T @ y'; patches' = y' @ filter^T, added up where patches overlap."""
        kernels, filter_gradient = self.backend, self._filter.gradient.reshape(self._matrix[1:])
        y, bias, dx = self.y, self._bias.gradient, self.x.gradient
        if self._has_bias:
            kernels.bias_gradient(y.gradient_plane, y.place, y.shape, bias, self.microbatch, self._work)
        np.copyto(self._out.reshape(self._inside_gradient.shape), self._inside_gradient)
        kernels.matrix_gradient(*self._by_place, filter_gradient, self.microbatch, self._work)
        if dx is None:
            return
        K, filters = self._matrix[1:]
        for part, origin in self._parts():
            out = self._out[part].reshape(1, -1, filters)
            columns = self._columns_gradient[: len(self._out[part])]
            kernels.multiply(out, self._turned, columns.reshape(1, -1, K), False, NO_SCRATCH)
            kernels.col2im(columns, dx, self._steps, origin, part.start > 0)
