"""The first convolution on images of one channel, with the 2 x 2 max-pool that follows, as one operation.

With one channel a patch is short: how it is best computed is left to the kernels. Nobody needs the gradient of the
images.
"""

from collections.abc import Sequence

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.compute.program.operations.convolution import bias_of, convolution_work, geometry
from engine.compute.program.operations.winograd import conv_size
from engine.kernels import Backend
from engine.kernels.streams import Stream


class Stem(Operation):
    """The convolution and the largest of four; which was the largest is kept."""

    takes_images = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, _ = geometry(step)
        (H, W, _), (h, w, _), k, p = step.input, step.output, layer.window[0], layer.borders(step.input)[0][0]
        self._size = conv_size(step)
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._has_bias = layer.bias
        self._shape = k, k, layer.filters
        self._padded = site.arena.keep(x.N, 2 * h + k - 1, 2 * w + k - 1)  # zeros around the images
        self._images = self._padded[:, p : p + H, p : p + W], x.inside(x.value)[..., 0].transpose(2, 0, 1)
        self._route = site.arena.keep(*y.shape, dtype=np.uint8)
        self._work, self._waiting = self.scratch

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:
        """Return the shapes of the kernels' scratch."""
        (layer, _), (h, w, filters) = geometry(step), step.output
        work = backend.stem_work((h, w), N, layer.window[0], filters, microbatch)
        return [(work,), (levels(N, microbatch) * filters,)]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 k k operations an output of the convolution."""
        return convolution_work(step)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = the largest of each window of the convolution, + bias."""
        y, filters, bias = self.y, self._filter.value.reshape(self._shape), self._bias.value
        np.copyto(*self._images)
        self.backend.stem(self._padded, filters, bias, y.plane, y.place, self._route, self._size, self._work)

    def backward(self) -> None:
        """Let filter' = patches @ y', y' given to the outputs that won."""
        kernels, y, bias, dy = self.backend, self.y, self._bias.gradient, self.y.gradient_plane
        filters, images, work = self._filter.gradient.reshape(self._shape), self._padded, self._work
        if self._has_bias:
            kernels.bias_gradient(dy, y.place, y.shape, bias, self.microbatch, self._waiting)
        kernels.stem_gradient(images, dy, y.place, self._route, filters, self.microbatch, work)
