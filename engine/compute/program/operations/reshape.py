"""Operations that only move numbers: into the program, from images to features."""

from collections.abc import Sequence

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step
from engine.kernels.streams import Stream


class Copy(Operation):
    """The same image into another buffer, with another border."""

    takes_images = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._pairs = [(y.inside(y.value), x.inside(x.value))]
        if x.gradient is not None and y.gradient is not None:
            self._pairs.append((x.inside(x.gradient), y.inside(y.gradient)))

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Copy the values."""
        np.copyto(*self._pairs[0])

    def backward(self) -> None:
        """Copy the gradient back."""
        np.copyto(*self._pairs[1])


class FlattenOp(Operation):
    """Images [H, W, N, C] to rows of features [N, (C, H, W)]."""

    takes_images = True
    in_parts = False

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        shape = (x.N, x.frame.C, x.frame.H, x.frame.W)
        self._value = x.inside(x.value).transpose(2, 3, 0, 1), y.inside(y.value).reshape(shape)
        if x.gradient is not None and y.gradient is not None:
            self._gradient = x.inside(x.gradient).transpose(2, 3, 0, 1), y.inside(y.gradient).reshape(shape)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Copy the values, transposed."""
        image, row = self._value
        np.copyto(row, image)

    def backward(self) -> None:
        """Copy the gradient back."""
        image, row = self._gradient
        np.copyto(image, row)
