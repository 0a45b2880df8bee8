"""The first convolution on images of one channel, with the 2 x 2 max-pool that follows, as one matrix product.

With one channel a patch is short, so patches are kept as columns: [k k, 4 h w N], the four outputs of a pool window far
apart. Nobody needs the gradient of the images.
"""

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step, accumulate, parameter
from engine.compute.program.operations.convolution import convolution_work, geometry
from engine.compute.program.operations.winograd import conv_size
from engine.kernels.streams import Stream


class Stem(Operation):
    """Patches, one product, the largest of four; patches and which was the largest are kept."""

    takes_images = takes_parts = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, _ = geometry(step)
        k, h, w = layer.kernel, y.frame.H, y.frame.W
        self._padding, self._size = layer.padding, conv_size(step)
        self._filter, self._bias = (parameter(step, name, site.weights) for name in ("filter", "bias"))
        self._images = x.inside(x.value).transpose(2, 0, 1, 3).reshape(x.N, *step.input[:2])
        self._patches = site.arena.keep(k, k, 2, 2, h, w, x.N)
        self._route = site.arena.keep(*y.shape, dtype=np.uint8)
        self._turned = site.arena.scratch(f"{step.name} turned", 2 * h + k - 1, 2, w + k // 2, x.N)
        self._phases, self._work, self._product = self.scratch
        self._columns, self._rows = self._patches.reshape(k * k, -1), self._phases.reshape(-1, layer.filters)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int) -> list[tuple[int, ...]]:
        """Return the shapes of the convolution's output, of kernels' scratch, and of the filter's gradient."""
        (layer, _), (h, w, filters) = geometry(step), step.output
        return [(2, 2, h, w, N * filters), (h * w * N * filters,), (layer.kernel**2, filters)]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 k k operations an output of the convolution."""
        return convolution_work(step)

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the patches and of the convolution's output."""
        layer, _ = geometry(step)
        h, w, _ = step.output
        return 4 * 4 * h * w * (layer.kernel**2 + layer.filters)

    def forward(self, rng: Stream | None) -> None:  # noqa: ARG002
        """Let y = max(patches^T @ filter) + bias."""
        kernels, y = self.backend, self.y
        kernels.stem_patches(self._images, self._patches, self._padding, self._turned)
        np.dot(self._columns.T, self._filter.value.reshape(self._product.shape), out=self._rows)
        kernels.pool_phases(self._phases, self._bias.value, y.plane, y.place, self._route, self._size, self._work)

    def backward(self) -> None:
        """Let filter' = patches @ y', y' given to the outputs that won."""
        y, bias = self.y, self._bias.gradient
        if self.first:
            bias.fill(0)
        self.backend.add_bias_gradient(y.gradient_plane, y.place, y.shape, bias)
        self.backend.pool_phases_gradient(y.gradient_plane, y.place, self._route, self._phases, self._work)
        total = self._filter.gradient.reshape(self._product.shape)
        accumulate(total, self._columns, self._rows, self._product, self.first)
