"""The first steps of a program, which take images, for some of the samples after the other.

So what a step puts out, and gradients, are read by the next one while they are in the second cache.
"""

from collections.abc import Sequence

from engine.compute.program.buffers import Activation, PaddedShape
from engine.compute.program.operations.base import Operation, Site, Step, levels
from engine.compute.program.operations.chain import chain, frames_of, needs_gradient, scratch_of
from engine.kernels import Array, Backend
from engine.kernels.pairs import sum_in_pairs
from engine.kernels.streams import Stream

CACHE = 512 << 10  # bytes that a step should take for all samples of a group


class Groups(Operation):
    """The steps of its one branch, from x to y, group by group.

    A group is as many micro-batches as a power of two, so the sums of its gradients are sums of the tree over all.
    """

    takes_images = True

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        super().__init__(step, x, y, site)
        (steps,), weights, size = step.branches, site.weights, group_size(step.branches[0], site.microbatch)
        frames, needs = frames_of(steps, y.frame), needs_gradient(steps, weights.frozen)
        self._groups = [
            chain(steps, frames, needs, x.part(first, first + size), y.part(first, first + size), site)
            for first in site.arena.by_turns(range(0, x.N, size))
        ]
        self._streams = size // site.microbatch
        self._weights, names = weights, step.parameter_names
        self._parameters = [weights.parameters[name] for name in names]
        self._size = max((weights.layout.slices[name].stop for name in names), default=0)
        depth = levels(len(self._groups), 1)
        self._waiting = site.arena.workspace.lend("sums of groups", depth * self._size)
        rows = self._waiting.reshape(depth, self._size)
        self._views = [[weights.layout.view(row, name) for name in names] for row in rows]

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return the frame that suits the first of the steps."""
        return frames_of(step.branches[0])[0]

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:
        """Return the shape of the scratch that the neediest of the steps wants for a group.

        The last group may be smaller, and want more all the same: a kernel that takes fewer samples may take more of
        each at a time.
        """
        [steps] = step.branches
        size = group_size(steps, microbatch)
        sizes = {min(N, size), N % size or size}
        return [(max(scratch_of(steps, samples, microbatch, backend) for samples in sizes),)]

    def parts(self) -> list[Operation]:
        """Return the operations of all groups, all of a step before those of the next."""
        groups = [[part for operation in group for part in operation.parts()] for group in self._groups]
        return [part for parts in zip(*groups, strict=True) for part in parts]

    def forward(self, rngs: Sequence[Stream]) -> None:
        """Let y = what the last of the steps puts out."""
        for number, operations in enumerate(self._groups):
            some = rngs[number * self._streams : (number + 1) * self._streams]
            for operation in operations:
                operation.forward(some)

    def backward(self) -> None:
        """Compute the gradients of the steps' parameters, the sums of groups added up in pairs."""
        places = [[parameter.gradient for parameter in self._parameters], *self._views]

        def compute(number: int, out: Array) -> None:  # noqa: ARG001 - the views are of this
            self._write_to(places[number.bit_count()])
            for operation in reversed(self._groups[number]):
                if operation.y.gradient is not None:
                    operation.backward()

        sum_in_pairs(self._weights.target[: self._size], self._waiting, len(self._groups), compute)
        self._write_to(places[0])

    def _write_to(self, places: Sequence[Array]) -> None:
        """Let the gradients of the parameters go to these."""
        for parameter, place in zip(self._parameters, places, strict=True):
            parameter.gradient = place


def group_size(steps: Sequence[Step], microbatch: int) -> int:
    """Return how many samples a group has."""
    size, most = microbatch, max(step.operation.footprint(step) for step in steps)
    while 2 * size * most <= CACHE:
        size *= 2
    return size
