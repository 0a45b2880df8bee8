"""Where a program keeps its numbers: every buffer is allocated once, when the program is compiled."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.kernels import Array
from engine.layers import Shape
from engine.params import ALIGNMENT


@dataclass(frozen=True)
class Frame:
    """How an image (H, W, C) lies in its buffer [height, width, N, C]: from row and column `start` on, zeros around it.

    Features (F,) are an image (1, 1, F).
    """

    H: int
    W: int
    C: int
    start: int
    height: int
    width: int


def plain_frame(shape: Shape) -> Frame:
    """Return the frame of a sample of `shape` without a border."""
    H, W, C = shape if len(shape) == 3 else (1, 1, *shape)
    return Frame(H, W, C, 0, H, W)


@dataclass(frozen=True)
class Activation:
    """The values between two operations for N samples, and their gradient (none where nobody needs it).

    Both [height, width, N, C] as `frame` says. What lies in the border of the gradient means nothing.
    """

    frame: Frame
    value: Array
    gradient: Array | None

    def inside(self, array: Array) -> Array:
        """Return the image in `array` (the value or the gradient), [H, W, N, C]: a view."""
        f = self.frame
        return array[f.start : f.start + f.H, f.start : f.start + f.W]

    def part(self, start: int, stop: int) -> "Activation":
        """Return the samples from `start` to `stop`: views."""
        gradient = None if self.gradient is None else self.gradient[:, :, start:stop]
        return Activation(self.frame, self.value[:, :, start:stop], gradient)


class Arena:
    """Hands out aligned buffers and remembers them. Scratch of one name and shape is shared by all who ask."""

    def __init__(self) -> None:
        self.buffers: list[NDArray[Any]] = []
        self._shared: dict[tuple[object, ...], NDArray[Any]] = {}

    def keep(self, *shape: int, dtype: type[Any] | np.dtype[Any] = np.float32) -> NDArray[Any]:
        """Return a new buffer, zeroed, on a cache line: for what must live from forward to backward."""
        kind = np.dtype(dtype)
        raw = np.zeros(prod(shape) * kind.itemsize + ALIGNMENT, np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        buffer = raw[start : start + prod(shape) * kind.itemsize].view(kind).reshape(shape)
        self.buffers.append(buffer)
        return buffer

    def scratch(self, name: str, *shape: int, dtype: type[Any] | np.dtype[Any] = np.float32) -> NDArray[Any]:
        """Return the buffer of this name and shape: for what is used up at once, or summed up by all."""
        key = (name, shape, np.dtype(dtype))
        if key not in self._shared:
            self._shared[key] = self.keep(*shape, dtype=dtype)
        return self._shared[key]

    @property
    def bytes(self) -> int:
        """How much has been handed out."""
        return sum(buffer.nbytes for buffer in self.buffers)
