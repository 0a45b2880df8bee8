"""Where a program keeps its numbers: every buffer is allocated once, when the program is compiled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.kernels import Array
from engine.kernels.table import Place
from engine.nn.layers import Shape
from engine.nn.parameters import ALIGNMENT, zeroed

T = TypeVar("T")
NOTHING = np.empty((0, 0, 0), np.float32)
NO_SCRATCH = np.empty(0, np.float32)
FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class PaddedShape:
    """How an image (H, W, C) lies in its buffer [height, width, N, C]: from row and column `start` on, zeros around it.

    Between the pixels there is room for `apart` values. Features (F,) are an image (1, 1, F).
    """

    H: int
    W: int
    C: int
    start: int
    height: int
    width: int
    apart: int = 0


def plain_frame(shape: Shape) -> PaddedShape:
    """Return the frame of a sample of `shape` without a border."""
    H, W, C = shape if len(shape) == 3 else (1, 1, *shape)
    return PaddedShape(H, W, C, 0, H, W)


@dataclass(frozen=True)
class Activation:
    """The values between two operations, and their gradient (none where nobody needs it).

    Both [height, width, N, C] as `frame` says; they are views of planes [height, width, L], but for the inputs. Planes
    may hold more samples, of which those from `first` on are these. What lies in the border of the gradient means
    nothing.
    """

    frame: PaddedShape
    N: int
    value: Array
    gradient: Array | None = None
    plane: Array = field(default_factory=lambda: NOTHING)
    gradient_plane: Array = field(default_factory=lambda: NOTHING)
    first: int = 0

    def part(self, start: int, stop: int) -> "Activation":
        """Return samples `start` to `stop` of these: views."""
        value = self.value[:, :, start:stop]
        gradient = None if self.gradient is None else self.gradient[:, :, start:stop]
        planes = self.plane, self.gradient_plane
        return Activation(self.frame, value.shape[2], value, gradient, *planes, self.first + start)

    def inside(self, array: Array) -> Array:
        """Return the image in `array` (the value or the gradient), [H, W, N, C]: a view."""
        f = self.frame
        return array[f.start : f.start + f.H, f.start : f.start + f.W]

    def clear_border(self) -> None:
        """Set the values around the image to 0, in the whole buffer."""
        f = self.frame
        if (f.height, f.width) != (f.H, f.W):
            for edge in (slice(f.start), slice(f.start + f.H, None)):
                self.value[edge] = 0
            for edge in (slice(f.start), slice(f.start + f.W, None)):
                self.value[:, edge] = 0

    @cached_property
    def place(self) -> Place:
        """Where the image begins in its planes."""
        return self.frame.start, self.first * self.frame.C

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """The shape [H, W, L] of the image."""
        return self.frame.H, self.frame.W, self.N * self.frame.C


def samples_of(plane: Array, N: int, C: int) -> Array:
    """Return a plane as [height, width, N, C]: a view."""
    return plane[:, :, : N * C].reshape(*plane.shape[:2], N, C)


class Workspace:
    """Memory that is needed only during a pass. Programs that never run at the same time may share it.

    The contents of `buffers` are undefined when a pass begins.
    """

    def __init__(self) -> None:
        self.buffers: dict[str, Array] = {}  # by name

    def lend(self, name: str, size: int) -> Array:
        """Return `size` values, aligned to a cache line: the buffer of this name, replaced if it is too small."""
        if name not in self.buffers or self.buffers[name].size < size:
            self.buffers[name] = zeroed(size * FLOAT.itemsize).view(FLOAT)
        return self.buffers[name][:size]


class Arena:
    """Hands out aligned buffers and remembers them. Scratch of one name and shape is shared by all who ask."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.buffers: list[NDArray[Any]] = []
        self._gradients: list[Array] = []
        self._given = 0  # of the gradients
        self._shared: dict[tuple[object, ...], NDArray[Any]] = {}

    def keep(self, *shape: int, dtype: type[Any] | np.dtype[Any] = np.float32) -> NDArray[Any]:
        """Return a new buffer, zeroed, on a cache line: for what must live from forward to backward."""
        kind = np.dtype(dtype)
        buffer = zeroed(prod(shape) * kind.itemsize).view(kind).reshape(shape)
        self.buffers.append(buffer)
        return buffer

    def gradient(self, *shape: int) -> Array:
        """Return a plane for a gradient: a new one, or the next of those that `by_turns` lets others use as well."""
        if self._given == len(self._gradients):
            alike = sum(plane.shape == shape for plane in self._gradients)
            plane = self.workspace.lend(f"gradient {shape} {alike}", prod(shape))
            self._gradients.append(plane.reshape(shape))
        buffer, self._given = self._gradients[self._given], self._given + 1
        return buffer.reshape(-1)[: prod(shape)].reshape(shape)

    def by_turns(self, users: Iterable[T]) -> Iterator[T]:
        """Yield `users`, each of whom is given the same planes for gradients; the first needs the largest."""
        given = self._given
        for user in users:
            self._given = given
            yield user

    def scratch(self, name: str, *shape: int, dtype: type[Any] | np.dtype[Any] = np.float32) -> NDArray[Any]:
        """Return the buffer of this name and shape: for what is used up at once, or summed up by all."""
        key = (name, shape, np.dtype(dtype))
        if key not in self._shared:
            self._shared[key] = self.keep(*shape, dtype=dtype)
        return self._shared[key]


def carve(buffer: Array, shapes: Iterable[tuple[int, ...]]) -> list[Array]:
    """Return arrays of `shapes` cut from a flat buffer of at least `space(shapes)` values, each on a cache line."""
    arrays, start = [], 0
    for shape in shapes:
        arrays.append(buffer[start : start + prod(shape)].reshape(shape))
        start += _padded(shape)
    return arrays


def space(shapes: Iterable[tuple[int, ...]]) -> int:
    """Return how many values `carve` needs."""
    return sum(map(_padded, shapes))


def _padded(shape: tuple[int, ...]) -> int:
    line = ALIGNMENT // np.dtype(np.float32).itemsize
    return -(-prod(shape) // line) * line
