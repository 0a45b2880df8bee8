"""Steps that follow one another, as operations bound to buffers."""

from collections.abc import Collection, Sequence

from engine.compute.program.buffers import Activation, Arena, PaddedShape, plain_frame, space
from engine.compute.program.operations.base import Operation, Site, Step
from engine.nn.frozen import is_trained


def chain(
    steps: Sequence[Step],
    frames: Sequence[PaddedShape],
    needs: Sequence[bool],
    x: Activation,
    y: Activation,
    site: Site,
) -> list[Operation]:
    """Return the operations from x to y for one chunk. What need not live until backward is shared by all chunks.

    `frames` says how the input of each step lies in its buffer, `needs` whether it needs a gradient.
    """
    operations: list[Operation] = []
    for number, step in enumerate(steps):
        target = y
        if number + 1 < len(steps):
            keep = step.operation.keeps_output or steps[number + 1].operation.keeps_input
            name = "" if keep else f"{step.name} {steps[number + 1].name}"
            target = activation(site.arena, frames[number + 1], x.N, needs[number + 1], name)
        operations.append(step.operation(step, x, target, site))
        x = target
    return operations


def activation(arena: Arena, frame: PaddedShape, N: int, gradient: bool, name: str = "") -> Activation:
    """Return an activation for N samples: shared under `name`, or new if there is none."""
    shape = (frame.height, frame.width, N, frame.C)
    value = arena.scratch(f"{name} value", *shape) if name else arena.keep(*shape)
    if not gradient:
        return Activation(frame, value, None, N)
    return Activation(frame, value, arena.scratch(f"{name} gradient", *shape) if name else arena.keep(*shape), N)


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


def scratch_of(steps: Sequence[Step], N: int) -> int:
    """Return how many values of scratch the neediest of the steps wants for N samples."""
    return max(space(step.operation.scratch_shapes(step, N)) for step in steps)
