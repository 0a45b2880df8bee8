"""The parameters that a program's operations see, and what is derived from them once a step."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from engine.kernels import Array, Backend
from engine.kernels.rounding import check_rounding
from engine.kernels.table import Size
from engine.nn.frozen import layer_of
from engine.nn.parameters import Layout, Vector, aligned

VECTORS = 3  # whose arrays are remembered: the two that training writes by turns, and the copy


@dataclass
class Parameter:
    """One array of the model in storage shape: its value, and where its gradient goes. Both may move at a step."""

    value: Array
    gradient: Array


class WinogradFilter:
    """A filter [3, 3, C, O] transformed: `u` [36, C, O] for the forward pass, `ut` [36, O, C] for the backward.

    Each is transformed when it is first used after `renew`, so that it is still in the caches then. `ut` is a view of
    `u`, or with `turned` an array of its own: that costs as much again every step, and saves some of the time of every
    product.
    """

    def __init__(self, parameter: Parameter, turned: bool, backend: Backend) -> None:
        C, filters = parameter.value.shape[2:]
        self._parameter, self._backend = parameter, backend
        self._u = _points(C, filters)
        self._ut = _points(filters, C) if turned else self._u
        self._turned = aligned(9 * C * filters).reshape(3, 3, filters, C) if turned else None
        self.renew()

    def renew(self) -> None:
        """Transform the filter again before it is used: it has changed."""
        self._stale, self._stale_turned = True, self._turned is not None

    @property
    def u(self) -> Array:
        """For the forward pass, [36, C, O]."""
        if self._stale:
            self._backend.winograd_filter(self._parameter.value, _by_point(self._u))
            self._stale = False
        return self._u

    @property
    def ut(self) -> Array:
        """For the backward pass, [36, O, C]."""
        if self._turned is None:
            return self.u.transpose(0, 2, 1)
        if self._stale_turned:
            value = self._parameter.value
            _, _, C, filters = value.shape
            self._backend.transpose(value.reshape(9, C, filters), self._turned.reshape(9, filters, C))
            self._backend.winograd_filter(self._turned, _by_point(self._ut))
            self._stale_turned = False
        return self._ut


class FilterBlocks:
    """A filter [rows, columns, C, O] cut into blocks of 3 x 3 and transformed.

    There are two: `forward` [36, blocks C, O], and for the backward pass that of the filter turned round, `backward`
    [36, blocks O, C]. They are transformed as a `WinogradFilter` is.
    """

    def __init__(self, parameter: Parameter, backend: Backend) -> None:
        *window, C, filters = parameter.value.shape
        count = prod(blocks_of((window[0], window[1])))
        self._parameter = parameter
        self._cut = [aligned(9 * count * C * filters).reshape(3, 3, -1, each) for each in (filters, C)]
        self._transformed = [WinogradFilter(Parameter(cut, cut), False, backend) for cut in self._cut]
        self.renew()

    def renew(self) -> None:
        """Transform the filter again before it is used: it has changed."""
        self._stale = [True, True]

    @property
    def forward(self) -> Array:
        """For the forward pass, [36, blocks C, O]."""
        return self._up_to_date(0)

    @property
    def backward(self) -> Array:
        """For the backward pass, [36, blocks O, C]."""
        return self._up_to_date(1)

    def _up_to_date(self, which: int) -> Array:
        if self._stale[which]:
            value = self._parameter.value
            kernel = value[::-1, ::-1].swapaxes(2, 3) if which else value
            for part, block in block_parts(kernel, self._cut[which]):
                np.copyto(block, part)
            self._transformed[which].renew()
            self._stale[which] = False
        return self._transformed[which].u


def blocks_of(window: Size) -> Size:
    """Return how many rows and columns of blocks of 3 x 3 cover a kernel."""
    return -(-window[0] // 3), -(-window[1] // 3)


def block_parts(kernel: Array, blocks: Array) -> Iterator[tuple[Array, Array]]:
    """Yield each part of a kernel [rows, columns, C, O], and where it is in `blocks` [3, 3, blocks C, O]: views."""
    rows, columns, C, _ = kernel.shape
    for number, (a, b) in enumerate(np.ndindex(blocks_of((rows, columns)))):
        part = kernel[3 * a : 3 * a + 3, 3 * b : 3 * b + 3]
        yield part, blocks[: part.shape[0], : part.shape[1], number * C : (number + 1) * C]


def _points(rows: int, columns: int) -> Array:
    """Return a new array [36, rows, columns], with room for another row after each point: see the table of kernels."""
    return aligned(36 * (rows + 1) * columns).reshape(36, rows + 1, columns)[:, :rows]


def _by_point(u: Array) -> Array:
    return u.reshape(6, 6, *u.shape[1:])


class Weights:
    """All parameters, and their derivatives. Programs of several sizes may share it.

    They are a copy, unless the caller's vector stays as it is: it may be changed, misaligned, or part of a message,
    while a program runs.
    """

    def __init__(self, layout: Layout, backend: Backend, frozen: Collection[str] = ()) -> None:
        """`frozen`: layers whose parameters have no gradient."""
        self.layout = layout
        self.frozen = frozenset(frozen)
        self.backend = backend
        self.ready = False
        self._copy = self._values = layout.zeros()
        self._known: deque[tuple[Vector, list[Array]]] = deque(maxlen=VECTORS)  # with the arrays in each
        self.parameters = {name: Parameter(view, view) for name, view in zip(layout.specs, self._views(), strict=True)}
        self.target: Vector = aligned(0)  # where gradients go
        self._winograd: dict[str, WinogradFilter] = {}
        self._blocks: dict[str, FilterBlocks] = {}
        self._turned: dict[str, Array] = {}  # the parameter as a matrix, transposed

    def turned(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return the transpose of the parameter `name`, taken as a matrix of `shape`: [1, columns, rows].

        If the backend wants whole rows it is a copy, renewed at every `prepare`.
        """
        matrix = self.parameters[name].value.reshape(shape)
        if not self.backend.whole_rows:
            return matrix.T[None]
        if name not in self._turned:
            self._turned[name] = aligned(matrix.size).reshape(1, *shape[::-1])
            self._turn(name)
        return self._turned[name]

    def _turn(self, name: str) -> None:
        out = self._turned[name]
        self.backend.transpose(self.parameters[name].value.reshape(1, *out.shape[:0:-1]), out)

    def winograd(self, name: str, turned: bool) -> WinogradFilter:
        """Return the filter `name`, which changes at every `prepare`."""
        if name not in self._winograd:
            turned = turned or self.backend.whole_rows
            self._winograd[name] = WinogradFilter(self.parameters[name], turned, self.backend)
        return self._winograd[name]

    def blocks(self, name: str) -> FilterBlocks:
        """Return the filter `name` in blocks, which changes at every `prepare`."""
        if name not in self._blocks:
            self._blocks[name] = FilterBlocks(self.parameters[name], self.backend)
        return self._blocks[name]

    def prepare(self, vector: Vector, stays: bool = False) -> None:
        """Take over the values in `vector`; where they are, if it `stays` as it is until the next call.

        ValueError if it does not suit the layout, and as `check_rounding` does.
        """
        self._check(vector)
        check_rounding()
        if stays and vector.flags.carray and self.backend.whole_rows:  # else matrices are views of the copy
            self._move_to(vector)
        else:
            np.copyto(self._copy, vector)
            self._move_to(self._copy)
        for filters in self._winograd.values():
            filters.renew()
        for blocks in self._blocks.values():
            blocks.renew()
        for name in self._turned:
            self._turn(name)
        self.ready = True

    def _move_to(self, vector: Vector) -> None:
        """Let the values of all parameters be those in `vector`."""
        if vector is not self._values:
            self._values = vector
            for parameter, view in zip(self.parameters.values(), self._views(), strict=True):
                parameter.value = view

    def _views(self) -> list[Array]:
        """Return the arrays of all parameters in the vector that is used; known are those of the last few."""
        found = next((views for vector, views in self._known if vector is self._values), None)
        if found is None:
            found = [self.layout.view(self._values, name) for name in self.layout.specs]
            self._known.append((self._values, found))
        return found

    def bind_gradient(self, vector: Vector) -> None:
        """Let gradients be written into `vector`; ValueError if it does not suit the layout."""
        if vector is self.target:
            return
        self._check(vector)
        if not (vector.flags.c_contiguous and vector.flags.aligned and vector.flags.writeable):
            raise ValueError("the gradient needs a contiguous, aligned vector that can be written to")
        for name, parameter in self.parameters.items():
            parameter.gradient = self.layout.view(vector, name)
        self.target = vector

    def clear_frozen(self) -> None:
        """Let the gradient of what is not trained be 0."""
        for name, parameter in self.parameters.items():
            if layer_of(name) in self.frozen:
                parameter.gradient.fill(0)

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self.layout.size,) or vector.dtype != np.float32:
            raise ValueError(f"want a float32 vector of {self.layout.size} values, got {vector.dtype} {vector.shape}")
