"""Convolution of stride 1 and a kernel larger than 3 x 3, by Winograd's minimal filtering of 3 x 3.

The kernel is cut into blocks of 3 x 3, with zeros where it ends. Their results are added up before they are transformed
back, so it is one convolution of 3 x 3 of an image with as many channels for each block: the image, shifted to where
the block begins. A kernel of 5 x 5 needs 9 products an output in place of 25. The input's gradient is such a
convolution, too: of the outputs' gradient, by the kernel turned round.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from engine.compute.program.buffers import NOTHING, Activation, Arena, samples_of
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.compute.program.operations.convolution import bias_of, convolution_work, geometry
from engine.compute.program.operations.winograd import APART, NO_ROUTE, conv_size
from engine.compute.program.weights import block_parts, blocks_of
from engine.kernels import Array, Backend
from engine.kernels.streams import Stream
from engine.kernels.table import Size


class Shifted(NamedTuple):
    """An image once for each block: `plane` [4 t + 2, 4 s + 2, L], and views of it with what is copied there."""

    plane: Array
    copies: list[tuple[Array, Array]]

    def fill(self) -> None:
        """Copy the image."""
        for place, part in self.copies:
            np.copyto(place, part)


class WinogradBlocks(Operation):
    """The convolution; the shifted images are kept for the filter's gradient."""

    takes_images = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer, C = geometry(step)
        self._filter, self._bias = parameter(step, "filter", site.weights), bias_of(step, site.weights)
        self._has_bias, self._size = layer.bias, conv_size(step)
        self._transformed = site.weights.blocks(f"{layer.name}.filter")
        self._work, self._waiting, self._sums = self.scratch
        u = self._transformed.forward
        self._unused = u.reshape(36, u.shape[2], u.shape[1])  # only its shape counts where nothing is taken from it
        (above, _), (left, _) = layer.borders(step.input)
        blocks, (rows, columns) = blocks_of(layer.window), layer.window
        shape = (*plane_size(self._size), x.N * prod(blocks) * C + APART)
        self._shifted = shifted(x.inside(x.value), site.arena.keep(*shape), blocks, (above, left))
        if x.gradient is not None and y.gradient is not None:
            around = rows - 1 - above, columns - 1 - left
            self._slopes = shifted(y.inside(y.gradient), self._plane_of_slopes(site.arena, around), blocks, around)
            self._no_bias = np.zeros(C, np.float32)

    def _plane_of_slopes(self, arena: Arena, around: Size) -> Array:
        """Return scratch for all whose gradients lie in it alike: what is around them stays 0."""
        (H, W, _), (layer, _) = self.step.input, geometry(self.step)
        blocks = blocks_of(layer.window)
        name = f"{self.step.output} within {around}, shifted for {blocks}"
        return arena.scratch(name, *plane_size((H, W)), self.x.N * prod(blocks) * layer.filters + APART)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:
        """Return the shapes of the kernels' scratch, of sums of biases that wait, and of the gradient of all blocks."""
        (layer, C), (H, W, _), blocks = geometry(step), step.input, prod(blocks_of(geometry(step)[0].window))
        forward = backend.winograd_work(tiles_of(conv_size(step)), N, blocks * C, layer.filters, microbatch)
        back = backend.winograd_work(tiles_of((H, W)), N, blocks * layer.filters, C, microbatch)
        sums = (3, 3, blocks * C, layer.filters)
        return [(max(forward, back),), (levels(N, microbatch) * layer.filters,), sums]

    @classmethod
    def work(cls, step: Step) -> int:
        """Return 2 k l C operations an output."""
        return convolution_work(step)

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the shifted images and outputs."""
        layer, C = geometry(step)
        values = prod(plane_size(conv_size(step))) * prod(blocks_of(layer.window)) * C
        return 4 * (values + prod(step.output))

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = the convolution of x, + bias."""
        y, u, bias = self.y, self._transformed.forward, self._bias.value
        self._shifted.fill()
        plane = self._shifted.plane
        self.backend.winograd(plane, self.x.N, u, bias, y.plane, y.place, NO_ROUTE, self._size, self._work)

    def backward(self) -> None:
        """Compute bias' and filter' of the layer, and x'."""
        kernels, x, y, N = self.backend, self.x, self.y, self.x.N
        dy = y.gradient_plane
        if self._has_bias:
            kernels.bias_gradient(dy, y.place, y.shape, self._bias.gradient, self.microbatch, self._waiting)
        kernels.winograd_gradient(
            *(self._shifted.plane, N, dy, y.place, NO_ROUTE, self._size, self._unused, NOTHING, self._sums),
            *(self.microbatch, self._work),
        )
        for part, sums in block_parts(self._filter.gradient, self._sums):
            np.copyto(part, sums)
        if x.gradient is None:
            return
        self._slopes.fill()
        H, W, _ = x.shape
        to, turned = (x.gradient_plane, x.place), self._transformed.backward
        kernels.winograd(self._slopes.plane, N, turned, self._no_bias, *to, NO_ROUTE, (H, W), self._work)


def shifted(image: Array, plane: Array, blocks: Size, around: Size) -> Shifted:
    """Return `plane`, in which `image` [H, W, N, C] is to lie once for each block, with rows and columns `around`."""
    (H, W, N, C), (height, width) = image.shape, plane.shape[:2]
    samples = samples_of(plane, N, prod(blocks) * C).reshape(height, width, N, prod(blocks), C)
    copies = []
    for number, (a, b) in enumerate(np.ndindex(blocks)):
        rows, columns = _overlap(around[0] - 3 * a, H, height), _overlap(around[1] - 3 * b, W, width)
        copies.append((samples[rows[0], columns[0], :, number], image[rows[1], columns[1]]))
    return Shifted(plane, copies)


def _overlap(at: int, size: int, space: int) -> tuple[slice, slice]:
    """Return where `size` values that begin at `at` lie in a space, and which of them these are."""
    first, last = max(at, 0), min(max(at + size, 0), space)
    first = min(first, last)
    return slice(first, last), slice(first - at, last - at)


def tiles_of(size: Size) -> Size:
    """Return how many rows and columns of 4 x 4 tiles cover `size` outputs."""
    return -(-size[0] // 4), -(-size[1] // 4)


def plane_size(size: Size) -> Size:
    """Return the rows and columns of whole tiles for `size` outputs."""
    t, s = tiles_of(size)
    return 4 * t + 2, 4 * s + 2
