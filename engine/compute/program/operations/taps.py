"""Convolution of stride 1 tap by tap: no patches are copied."""

from collections.abc import Sequence
from math import prod

import numpy as np

from engine.compute.program.buffers import Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.compute.program.operations.convolution import bias_of, convolution_work, geometry, padded
from engine.kernels import Backend
from engine.kernels.streams import Stream


class ConvolutionByTaps(Operation):
    """For every tap of the kernel, the pixels it meets [h w N, C] @ [C, O] are added to the output."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, C = geometry(step)
        (above, _), (left, _) = layer.borders(step.input)
        self._origin = x.frame.start - above, x.frame.start - left
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._has_bias = layer.bias
        turned = site.weights.turned(f"{layer.name}.filter", (prod(layer.window) * C, layer.filters))
        self._turned = turned.reshape(layer.filters, *layer.window, C)
        self._out, self._work = self.scratch
        self._outputs = self._out.reshape(*step.output[:2], x.N, layer.filters)
        if y.gradient is not None:
            self._slopes = y.inside(y.gradient)

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return a frame with at least the layer's padding on every side."""
        return padded(step)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:  # noqa: ARG003
        """Return the shapes of the output, and of a row of pixels or the sums of micro-batches that wait."""
        (_, C), (h, w, filters) = geometry(step), step.output
        return [(h, w, N * filters), (max(w * N * max(C, filters), levels(N, microbatch) * filters * max(16, C)),)]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 k l C operations an output."""
        return convolution_work(step)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = the convolution of x, + bias."""
        self.backend.convolve(self.x.value, self._filter.value, self._outputs, self._origin, self._work)
        self.backend.add_bias(self._out, self._bias.value, self.y.plane, self.y.place)

    def backward(self) -> None:
        """Compute bias' and filter' of the layer, and x'."""
        kernels, x, y, origin, work = self.backend, self.x, self.y, self._origin, self._work
        if self._has_bias:
            kernels.bias_gradient(y.gradient_plane, y.place, y.shape, self._bias.gradient, self.microbatch, work)
        np.copyto(self._outputs, self._slopes)
        kernels.convolve_filter_gradient(x.value, self._outputs, self._filter.gradient, origin, self.microbatch, work)
        if x.gradient is not None:
            kernels.convolve_input_gradient(self._outputs, self._turned, x.gradient, origin, work)
