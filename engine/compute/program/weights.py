"""The parameters that a program's operations see, and what is derived from them once a step."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from engine.kernels import Array, Backend
from engine.kernels.rounding import check_rounding
from engine.nn.frozen import layer_of
from engine.nn.parameters import Layout, Vector, aligned


@dataclass
class Parameter:
    """One array of the model in storage shape: its value, which stays in place, and where its gradient goes."""

    value: Array
    gradient: Array


class WinogradFilter:
    """A filter [3, 3, C, O] transformed: `u` [36, C, O] for the forward pass, `ut` [36, O, C] for the backward.

    `ut` is a view of `u`, or with `turned` an array of its own: that costs as much again every step, and saves some of
    the time of every product.
    """

    def __init__(self, parameter: Parameter, turned: bool) -> None:
        C, filters = parameter.value.shape[2:]
        self._value = parameter.value
        self.u = aligned(36 * C * filters).reshape(36, C, filters)
        self.ut = self.u.transpose(0, 2, 1)
        self._turned = aligned(9 * C * filters).reshape(3, 3, filters, C) if turned else None
        if turned:
            self.ut = aligned(36 * C * filters).reshape(36, filters, C)

    def prepare(self, backend: Backend) -> None:
        """Transform the filter."""
        backend.winograd_filter(self._value, _by_point(self.u))
        if self._turned is not None:
            _, _, C, filters = self._value.shape
            backend.transpose(self._value.reshape(9, C, filters), self._turned.reshape(9, filters, C))
            backend.winograd_filter(self._turned, _by_point(self.ut))


def _by_point(u: Array) -> Array:
    return u.reshape(6, 6, *u.shape[1:])


class Weights:
    """A copy of all parameters, and their derivatives. Programs of several sizes may share it.

    A copy, because a caller's vector may be changed, misaligned, or part of a message, while a program runs.
    """

    def __init__(self, layout: Layout, backend: Backend, frozen: Collection[str] = ()) -> None:
        """`frozen`: layers whose parameters have no gradient."""
        self.layout = layout
        self.frozen = frozenset(frozen)
        self.backend = backend
        self.ready = False
        self._values = layout.zeros()
        views = {name: layout.view(self._values, name) for name in layout.specs}
        self.parameters = {name: Parameter(view, view) for name, view in views.items()}
        self._target: Vector | None = None
        self._winograd: dict[str, WinogradFilter] = {}
        self._turned: dict[str, tuple[Array, Array]] = {}  # the parameter as a matrix, and its transpose

    def turned(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return the transpose of the parameter `name`, taken as a matrix of `shape`: [1, columns, rows].

        If the backend wants whole rows it is a copy, renewed at every `prepare`.
        """
        matrix = self.parameters[name].value.reshape(shape)
        if not self.backend.whole_rows:
            return matrix.T[None]
        if name not in self._turned:
            self._turned[name] = matrix[None], aligned(matrix.size).reshape(1, *shape[::-1])
            self.backend.transpose(*self._turned[name])
        return self._turned[name][1]

    def winograd(self, name: str, turned: bool) -> WinogradFilter:
        """Return the filter `name`, to be transformed at every `prepare`."""
        if name not in self._winograd:
            self._winograd[name] = WinogradFilter(self.parameters[name], turned or self.backend.whole_rows)
            self._winograd[name].prepare(self.backend)
        return self._winograd[name]

    def prepare(self, vector: Vector) -> None:
        """Take over the values in `vector`. ValueError if it does not suit the layout, and as `check_rounding` does."""
        self._check(vector)
        check_rounding()
        np.copyto(self._values, vector)
        for filters in self._winograd.values():
            filters.prepare(self.backend)
        for matrix, transpose in self._turned.values():
            self.backend.transpose(matrix, transpose)
        self.ready = True

    def bind_gradient(self, vector: Vector) -> None:
        """Let gradients be written into `vector`; ValueError if it does not suit the layout."""
        if vector is self._target:
            return
        self._check(vector)
        if not (vector.flags.c_contiguous and vector.flags.aligned and vector.flags.writeable):
            raise ValueError("the gradient needs a contiguous, aligned vector that can be written to")
        for name, parameter in self.parameters.items():
            parameter.gradient = self.layout.view(vector, name)
        self._target = vector

    def clear_frozen(self) -> None:
        """Let the gradient of what is not trained be 0."""
        for name, parameter in self.parameters.items():
            if layer_of(name) in self.frozen:
                parameter.gradient.fill(0)

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self.layout.size,) or vector.dtype != np.float32:
            raise ValueError(f"want a float32 vector of {self.layout.size} values, got {vector.dtype} {vector.shape}")
