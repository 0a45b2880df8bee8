"""From steps to operations bound to buffers."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compute.program.buffers import Activation, Arena
from engine.compute.program.operations import Groups, Operation, Site, Step
from engine.compute.program.operations.chain import activation, chain, frames_of, needs_gradient, scratch_of
from engine.compute.program.operations.groups import group_size
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
        N = len(inputs)
        steps = self._in_groups(steps, N)
        frames, needs = frames_of(steps), needs_gradient(steps, self.weights.frozen)
        samples = inputs if inputs.ndim == 4 else inputs[:, None, None]
        x = Activation(frames[0], N, samples.transpose(1, 2, 0, 3))
        y = activation(self.arena, frames[-1], N, needs[-1])
        scratch = self.arena.workspace.lend("scratch", scratch_of(steps, N, self.microbatch, self.backend))
        site = Site(self.backend, self.weights, self.arena, scratch, self.microbatch)
        return chain(steps, frames, needs, x, y, site), y

    def _in_groups(self, steps: Sequence[Step], N: int) -> Sequence[Step]:
        """Return `steps`, those that take images, from the first on, as one step where N samples are several groups.

        Later steps have so little to do for a sample that it takes longer to call them more often.
        """
        count = 0
        for number, step in enumerate(steps, 1):
            if len(step.input) != 3:
                break
            if step.operation.in_parts:
                count = number
        first = tuple(steps[:count])
        if count < 2 or group_size(first, self.microbatch) >= N:
            return steps
        return [Step(Groups, (), first[0].input, first[-1].output, branches=(first,)), *steps[count:]]
