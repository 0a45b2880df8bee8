"""The first convolution on images of one channel, with the 2 x 2 max-pool that follows, as one operation.

With one channel a patch is short: how they are best arranged is left to the kernels. Nobody needs the gradient of the
images.
"""

from math import prod

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step, parameter
from engine.compute.program.operations.convolution import bias_of, convolution_work, geometry
from engine.compute.program.operations.winograd import conv_size
from engine.kernels.streams import Stream


class Stem(Operation):
    """Patches, one product, the largest of four; patches and which was the largest are kept."""

    takes_images = takes_parts = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, _ = geometry(step)
        k, h, w = layer.window[0], y.frame.H, y.frame.W
        self._padding, self._size = layer.borders(step.input)[0][0], conv_size(step)
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._images = x.inside(x.value).transpose(2, 0, 1, 3).reshape(x.N, *step.input[:2])
        self._patches = site.arena.keep(4 * k * k * h * w * x.N)
        self._route = site.arena.keep(*y.shape, dtype=np.uint8)
        self._turned = site.arena.scratch(f"{step.name} turned", 2 * h + k - 1, 2, w + k // 2, x.N)
        (self._work,) = self.scratch
        self._matrices = self._filter.value.reshape(k, k, layer.filters)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int) -> list[tuple[int, ...]]:
        """Return the shape of the kernels' scratch."""
        (layer, _), (h, w, filters) = geometry(step), step.output
        return [(5 * h * w * N * filters + prod(layer.window) * filters,)]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 k k operations an output of the convolution."""
        return convolution_work(step)

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the patches and of the convolution's output."""
        layer, _ = geometry(step)
        h, w, _ = step.output
        return 4 * 4 * h * w * (prod(layer.window) + layer.filters)

    def forward(self, rng: Stream | None) -> None:  # noqa: ARG002
        """Let y = max(patches^T @ filter) + bias."""
        y, bias, size, padding = self.y, self._bias.value, self._size, self._padding
        patches, turned = self._patches, self._turned
        self.backend.stem(
            *(self._images, self._matrices, bias, y.plane, y.place, self._route, size),
            *(padding, patches, self._work, turned),
        )

    def backward(self) -> None:
        """Let filter' = patches @ y', y' given to the outputs that won."""
        y, gradient, bias = self.y, self._filter.gradient.reshape(self._matrices.shape), self._bias.gradient
        dy, route, patches = y.gradient_plane, self._route, self._patches
        self.backend.stem_gradient(dy, y.place, route, patches, gradient, bias, not self.first, self._work)
