"""Steps that follow one another, as operations bound to buffers."""

from collections.abc import Collection, Sequence

from engine.compute.program.buffers import Activation, Arena, PaddedShape, plain_frame, samples_of, space
from engine.compute.program.operations.base import Operation, Site, Step
from engine.kernels import Backend
from engine.nn.frozen import is_trained


def chain(
    steps: Sequence[Step],
    frames: Sequence[PaddedShape],
    needs: Sequence[bool],
    x: Activation,
    y: Activation,
    site: Site,
) -> list[Operation]:
    """Return the operations from x to y.

    `frames` says how the input of each step lies in its buffer, `needs` whether it needs a gradient.
    """
    operations: list[Operation] = []
    for number, step in enumerate(steps, 1):
        target = y if number == len(steps) else activation(site.arena, frames[number], x.N, needs[number])
        operations.append(step.operation(step, x, target, site))
        x = target
    return operations


def activation(arena: Arena, frame: PaddedShape, N: int, gradient: bool) -> Activation:
    """Return a new activation for N samples."""
    shape = frame.height, frame.width, N * frame.C + frame.apart
    plane = arena.keep(*shape)
    value = samples_of(plane, N, frame.C)
    if not gradient:
        return Activation(frame, N, value, plane=plane)
    slopes = arena.gradient(*shape)
    return Activation(frame, N, value, samples_of(slopes, N, frame.C), plane, slopes)


def frames_of(steps: Sequence[Step], last: PaddedShape | None = None) -> list[PaddedShape]:
    """Return how the input of each step lies in its buffer, and the last output: without a border, if not as `last`."""
    frames = [last or plain_frame(steps[-1].output)]
    for step in reversed(steps):
        frames.append(frames[-1] if step.operation.keeps_frame else step.operation.input_frame(step))
    return frames[::-1]


def needs_gradient(steps: Sequence[Step], frozen: Collection[str], before: bool = False) -> list[bool]:
    """Tell for the input of each step, and the last output, whether a parameter before it is trained."""
    needs = [before]
    for step in steps:
        needs.append(needs[-1] or is_trained(step.parameter_names, frozen))
    return needs


def scratch_of(steps: Sequence[Step], N: int, microbatch: int, backend: Backend) -> int:
    """Return how many values of scratch the neediest of the steps wants for N samples."""
    return max(space(step.operation.scratch_shapes(step, N, microbatch, backend)) for step in steps)
