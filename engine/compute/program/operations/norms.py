"""Normalisation of each sample by itself."""

from collections.abc import Sequence
from typing import cast

from engine.compute.program.buffers import Activation
from engine.compute.program.operations.base import Operation, Site, Step, levels, parameter
from engine.kernels import Backend
from engine.kernels.streams import Stream
from engine.nn.layers import Norm


class NormOp(Operation):
    """(x - mean) * factor * scale + bias; mean and factor of each group are kept."""

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layer = cast(Norm, step.layers[0])
        self._groups, self._epsilon = layer.parts(), float(layer.epsilon)
        self._scale, self._bias = (parameter(step, name, site.weights) for name in ("scale", "bias"))
        self._stats = site.arena.keep(2, x.N * x.frame.C)
        (self._work,) = self.scratch

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:  # noqa: ARG003
        """Return the shape of the kernels' scratch."""
        return [((4 * N + 2 * levels(N, microbatch)) * step.input[-1] + 16,)]

    def forward(self, rngs: Sequence[Stream]) -> None:  # noqa: ARG002
        """Let y = (x - mean) / sqrt(variance + epsilon) * scale + bias."""
        scale, bias, y = self._scale.value, self._bias.value, self.y
        groups, epsilon = self._groups, self._epsilon
        self.backend.normalise(self.x.plane, scale, bias, groups, epsilon, y.plane, y.place, self._stats, self._work)

    def backward(self) -> None:
        """Let x' be the gradient through mean and variance, too, and those of scale and bias."""
        x, y, scale, bias = self.x, self.y, self._scale, self._bias
        self.backend.normalise_gradient(
            *(x.plane, self._stats, scale.value, self._groups, y.gradient_plane, y.place),
            *(x.gradient_plane, scale.gradient, bias.gradient, self.microbatch, self._work),
        )
