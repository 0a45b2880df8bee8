"""From steps to operations bound to buffers."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compute.program.buffers import Activation, Arena
from engine.compute.program.operations import Operation, Site, Step
from engine.compute.program.operations.chain import activation, chain, frames_of, needs_gradient, scratch_of
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
        frames, needs, N = frames_of(steps), needs_gradient(steps, self.weights.frozen), len(inputs)
        samples = inputs if inputs.ndim == 4 else inputs[:, None, None]
        x = Activation(frames[0], N, samples.transpose(1, 2, 0, 3))
        y = activation(self.arena, frames[-1], N, needs[-1])
        scratch = self.arena.keep(scratch_of(steps, N, self.microbatch, self.backend))
        site = Site(self.backend, self.weights, self.arena, scratch, self.microbatch)
        return chain(steps, frames, needs, x, y, site), y
