"""Layers with a shortcut around them: two chains of operations from the same input, and the sum of what they end in."""

from collections.abc import Sequence

import numpy as np

from engine.compute.program.buffers import Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step
from engine.compute.program.operations.chain import activation, chain, frames_of, needs_gradient, scratch_of
from engine.compute.program.operations.reshape import Copy
from engine.kernels import Array, Backend
from engine.kernels.streams import Stream


class ResidualOp(Operation):
    """Both branches read x, end in values of their own that are added to y, and read the gradient of y."""

    in_parts = False

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        layers, shortcut = step.branches
        self._layers, a = self._branch(layers, x, site)
        self._shortcut: list[Operation] = []
        b, self._more = x, None if x.gradient is None or y.gradient is None else y.inside(y.gradient)
        if shortcut:
            own = activation(site.arena, x.frame, x.N, x.gradient is not None)
            beside = Activation(x.frame, x.N, x.value, own.gradient, x.plane, own.gradient_plane)
            self._shortcut, b = self._branch(shortcut, beside, site)
            self._more = None if own.gradient is None else own.inside(own.gradient)
        self._sum = a.inside(a.value), b.inside(b.value), y.inside(y.value)
        self._slope: Array | None = None if x.gradient is None else x.inside(x.gradient)

    def _branch(self, steps: tuple[Step, ...], x: Activation, site: Site) -> tuple[list[Operation], Activation]:
        """Return the operations of a branch, and what it ends in."""
        y, frames = self.y, frames_of(steps, self.y.frame)
        if frames[0] != x.frame:
            steps = (Step(Copy, (), steps[0].input, steps[0].input), *steps)
            frames.insert(0, x.frame)
        needs = needs_gradient(steps, site.weights.frozen, x.gradient is not None)
        end = activation(site.arena, y.frame, y.N, False)
        if needs[-1]:
            end = Activation(y.frame, y.N, end.value, y.gradient, end.plane, y.gradient_plane)
        return chain(steps, frames[:-1], needs[:-1], x, end, site), end

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return the frame that suits the first of the layers; the shortcut copies x if it needs another."""
        return frames_of(step.branches[0])[0]

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:
        """Return the shape of the scratch that the neediest operation of a branch wants."""
        return [(max(scratch_of(branch, N, microbatch, backend) for branch in step.branches if branch),)]

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return the bytes of the operation of a branch that needs the most."""
        return max(inner.operation.footprint(inner) for branch in step.branches for inner in branch)

    def parts(self) -> list[Operation]:
        """Return the operations of both branches, and this one."""
        inner = (*self._layers, *self._shortcut)
        return [*(part for operation in inner for part in operation.parts()), self]

    def forward(self, rngs: Sequence[Stream]) -> None:
        """Let y = layers(x) + shortcut(x)."""
        for operation in (*self._layers, *self._shortcut):
            operation.forward(rngs)
        a, b, y = self._sum
        np.add(a, b, out=y)

    def backward(self) -> None:
        """Let x' be the sum of what comes back through both."""
        for branch in (self._layers, self._shortcut):
            for operation in reversed(branch):
                if operation.y.gradient is not None:
                    operation.backward()
        if self._slope is not None and self._more is not None:
            np.add(self._slope, self._more, out=self._slope)
