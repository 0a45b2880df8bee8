"""From steps to operations bound to buffers."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compute.program.buffers import Activation, Arena, PaddedShape, plain_frame, samples_of, space
from engine.compute.program.operations import Operation, Site, Step
from engine.compute.program.weights import Weights
from engine.kernels import Array, Backend


@dataclass(frozen=True)
class Builder:
    """Makes the operations of a program; all share the same backend, weights and arena."""

    backend: Backend
    weights: Weights
    arena: Arena
    microbatch: int

    def build(self, steps: Sequence[Step], inputs: Array) -> tuple[list[Operation], Activation]:
        """Return the operations, and the activation that holds the outputs.

        `inputs` [N, H, W, C] or [N, D] is where the program will find its input.
        """
        frames, needs, N = _frames(steps), _needs_gradient(steps), len(inputs)
        samples = inputs if inputs.ndim == 4 else inputs[:, None, None]
        x = Activation(frames[0], N, samples.transpose(1, 2, 0, 3))
        site = Site(self.backend, self.weights, self.arena, self.arena.keep(self._scratch(steps, N)), self.microbatch)
        operations: list[Operation] = []
        for step, frame, gradient in zip(steps, frames[1:], needs[1:], strict=True):
            y = self._activation(frame, N, gradient)
            operations.append(step.operation(step, x, y, site))
            x = y
        return operations, x

    def _activation(self, frame: PaddedShape, N: int, gradient: bool) -> Activation:
        shape = frame.height, frame.width, N * frame.C + frame.apart
        plane = self.arena.keep(*shape)
        value = samples_of(plane, N, frame.C)
        if not gradient:
            return Activation(frame, N, value, plane=plane)
        slopes = self.arena.keep(*shape)
        return Activation(frame, N, value, samples_of(slopes, N, frame.C), plane, slopes)

    def _scratch(self, steps: Sequence[Step], N: int) -> int:
        """Return how many values of scratch the neediest operation wants."""
        return max(space(step.operation.scratch_shapes(step, N, self.microbatch, self.backend)) for step in steps)


def _frames(steps: Sequence[Step]) -> list[PaddedShape]:
    """Return how the input of each step lies in its buffer, and the last output."""
    frames = [plain_frame(steps[-1].output)]
    for step in reversed(steps):
        frames.append(frames[-1] if step.operation.keeps_frame else step.operation.input_frame(step))
    return frames[::-1]


def _needs_gradient(steps: Sequence[Step]) -> list[bool]:
    """Tell for the input of each step, and the last output, whether a parameter before it wants a gradient."""
    needs = [False]
    for step in steps:
        needs.append(needs[-1] or step.parameters > 0)
    return needs
