"""Layers that a person wrote, micro-batch by micro-batch: so bits do not depend on how many are computed together."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step, parameter
from engine.kernels import Array
from engine.kernels.pairs import in_pairs
from engine.kernels.streams import Stream
from engine.nn.own.layer import OwnLayer


class OwnOp(Operation):
    """What the layer gets, [N, H, W, C] or [N, F], is a copy; parameters, in their public shape, are read-only."""

    takes_images = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        self._layer = cast(OwnLayer, step.layers[0])
        names = [spec.name for spec in self._layer.parameters(step.input)]
        self._parameters = {name: parameter(step, name, site.weights) for name in names}
        self._parts = [slice(n, n + site.microbatch) for n in range(0, x.N, site.microbatch)]
        self._saved: list[Any] = []
        self._x, self._y = (_samples(a, a.value, shape) for a, shape in ((x, step.input), (y, step.output)))
        self._dx = None if x.gradient is None else _samples(x, x.gradient, step.input)
        self._dy = None if y.gradient is None else _samples(y, y.gradient, step.output)

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y be the outputs; what backward needs is kept."""
        values = self._values()
        self._saved = []
        for part in self._parts:
            outputs, saved = self._layer.outputs(_copy(self._x[part]), values, self.step.output)
            self._y[part] = outputs
            self._saved.append(saved)

    def backward(self) -> None:
        """Let x' and the gradients of parameters be what `backward` says."""
        values, found = self._values(), []
        if self._dy is None:
            return
        for part, saved in zip(self._parts, self._saved, strict=True):
            dx, own = self._layer.gradients(_copy(self._dy[part]), saved, values, self.step.input)
            found.append({name: np.asarray(gradient, np.float32) for name, gradient in own.items()})
            if self._dx is not None:
                self._dx[part] = dx
        for name, place in self._parameters.items():
            place.gradient[...] = in_pairs([gradients[name] for gradients in found], np.add)
        self._saved = []

    def _values(self) -> dict[str, Array]:
        """Return the parameters, read-only."""
        views = {name: place.value.view() for name, place in self._parameters.items()}
        for view in views.values():
            view.flags.writeable = False
        return views


def _samples(a: Activation, array: Array, shape: tuple[int, ...]) -> Array:
    """Return what lies in a buffer as samples, [N, H, W, C] or [N, F]: a view."""
    images = a.inside(array).transpose(2, 0, 1, 3)
    return images if len(shape) == 3 else images[:, 0, 0]


def _copy(samples: Array) -> Array:
    return np.array(samples, np.float32, order="C")
