"""The first convolution on images of one channel, with the 2 x 2 max-pool that follows, as one matrix product.

With one channel a patch is short, so patches are kept as columns: [k k, 4 h w N], the four outputs of a pool window far
apart. Nobody needs the gradient of the images.
"""

import numpy as np

from engine.program.buffers import Activation
from engine.program.operations.base import Operation, Site, Step, accumulate, parameter
from engine.program.operations.convolution import convolution_work, geometry
from engine.program.operations.winograd import conv_size


class Stem(Operation):
    """Patches, one product, the largest of four; patches and which was the largest are kept."""

    takes_images = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, _ = geometry(step)
        k, N, h, w = layer.kernel, x.value.shape[2], y.frame.H, y.frame.W
        arena, name = site.arena, step.name
        self._padding, self._size = layer.padding, conv_size(step)
        self._filter, self._bias = (parameter(step, name, site.weights) for name in ("filter", "bias"))
        self._images = x.value.transpose(2, 0, 1, 3).reshape(N, *step.input[:2])
        self._patches = arena.keep(k, k, 2, 2, h, w, N)
        self._route = arena.keep(h, w, N * layer.filters, dtype=np.uint8)
        self._turned = arena.scratch(f"{name} turned", 2 * h + k - 1, 2, w + k // 2, N)
        self._phases = arena.scratch(f"{name} phases", 2, 2, h, w, N * layer.filters)
        self._work = arena.scratch(f"{name} work", h * w * N * layer.filters)
        self._product = arena.scratch(f"{name} product", k * k, layer.filters)
        self._columns, self._rows = self._patches.reshape(k * k, -1), self._phases.reshape(-1, layer.filters)
        self._y = y.value.reshape(*y.value.shape[:2], -1)
        self._dy = self._y if y.gradient is None else y.gradient.reshape(self._y.shape)

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

    def forward(self, rng: np.random.Generator | None) -> None:  # noqa: ARG002
        """Let y = max(filter^T @ patches) + bias."""
        backend, start = self.backend, self.y.frame.start
        backend.stem_patches(self._images, self._patches, self._padding, self._turned)
        np.dot(self._columns.T, self._filter.value.reshape(self._product.shape), out=self._rows)
        backend.pool_phases(self._phases, self._bias.value, self._y, start, self._route, self._size, self._work)

    def backward(self) -> None:
        """Let filter' = patches @ y', y' given to the outputs that won."""
        backend, frame, gradient = self.backend, self.y.frame, self._bias.gradient
        if self.first:
            gradient.fill(0)
        backend.add_bias_gradient(self._dy, frame.start, frame.H, frame.W, gradient)
        backend.pool_phases_gradient(self._dy, frame.start, self._route, self._phases, self._work)
        total = self._filter.gradient.reshape(self._product.shape)
        accumulate(total, self._columns, self._rows, self._product, self.first)
