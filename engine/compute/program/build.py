"""From sections to operations bound to buffers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.compute.program.buffers import Activation, Arena, PaddedShape, plain_frame, space
from engine.compute.program.operations import Operation, Site, Step
from engine.compute.program.sections import Section
from engine.compute.program.weights import Weights
from engine.kernels import Array, Backend
from engine.nn.frozen import is_trained

Chunk = list[Operation]


@dataclass(frozen=True)
class Builder:
    """Makes the operations of a program; all share the same backend, weights and arena."""

    backend: Backend
    weights: Weights
    arena: Arena

    def build(self, sections: Sequence[Section], inputs: Array) -> tuple[list[list[Chunk]], Activation]:
        """Return the operations of each chunk of each section, and the activation that holds the outputs.

        `inputs` [N, H, W, C] or [N, D] is where the program will find its input.
        """
        steps = [step for section in sections for step in section.steps]
        frames, needs = _frames(steps), _needs_gradient(steps, self.weights.frozen)
        samples = inputs if inputs.ndim == 4 else inputs[:, None, None]
        everything = Activation(frames[0], samples.transpose(1, 2, 0, 3), None, len(inputs))
        places = [everything.part(chunk.start, chunk.stop) for chunk in sections[0].chunks]
        scratch = self.arena.keep(_scratch(sections))
        out: list[list[Chunk]] = []
        at = 0
        for number, section in enumerate(sections):
            end = at + len(section.steps)
            last = number + 1 == len(sections)
            targets = (range(len(inputs)),) if last else sections[number + 1].chunks
            outputs = [self._activation(frames[end], len(chunk), needs[end]) for chunk in targets]
            chunks = []
            for x, chunk in zip(places, section.chunks, strict=True):
                y = _part(outputs, targets, chunk)
                first, last = chunk.start == 0, chunk.stop == len(inputs)
                site = Site(self.backend, self.weights, self.arena, scratch, first, last, chunk.start)
                chunks.append(self._chunk(steps[at:end], frames[at:end], needs[at:end], x, y, site))
            out.append(chunks)
            places, at = outputs, end
        return out, places[0]

    def _chunk(
        self,
        steps: Sequence[Step],
        frames: Sequence[PaddedShape],
        needs: Sequence[bool],
        x: Activation,
        y: Activation,
        site: Site,
    ) -> Chunk:
        """Return the operations of one chunk from x to y. What need not live until backward is shared by all chunks."""
        operations: Chunk = []
        for number, step in enumerate(steps):
            target = y
            if number + 1 < len(steps):
                keep = step.operation.keeps_output or steps[number + 1].operation.keeps_input
                name = "" if keep else f"{step.name} {steps[number + 1].name}"
                target = self._activation(frames[number + 1], x.N, needs[number + 1], name)
            operations.append(step.operation(step, x, target, site))
            x = target
        return operations

    def _activation(self, frame: PaddedShape, N: int, gradient: bool, name: str = "") -> Activation:
        """Return an activation for N samples: shared under `name`, or new if there is none."""
        shape = (frame.height, frame.width, N, frame.C)
        value = self._buffer(f"{name} value" if name else "", shape)
        slope = self._buffer(f"{name} gradient" if name else "", shape) if gradient else None
        return Activation(frame, value, slope, N)

    def _buffer(self, name: str, shape: tuple[int, ...]) -> Array:
        return self.arena.scratch(name, *shape) if name else self.arena.keep(*shape)


def _part(outputs: Sequence[Activation], targets: Sequence[range], chunk: range) -> Activation:
    """Return the samples of `chunk` in the one of `outputs` that holds them: chunks nest in those that follow."""
    pairs = zip(outputs, targets, strict=True)
    return next(y.part(chunk.start - to.start, chunk.stop - to.start) for y, to in pairs if chunk.start in to)


def _scratch(sections: Sequence[Section]) -> int:
    """Return how many values of scratch the neediest operation wants."""
    needs = [
        space(step.operation.scratch_shapes(step, len(section.chunks[0])))
        for section in sections
        for step in section.steps
    ]
    return max(needs)


def _frames(steps: Sequence[Step]) -> list[PaddedShape]:
    """Return how the input of each step lies in its buffer, and the last output."""
    frames = [plain_frame(steps[-1].output)]
    for step in reversed(steps):
        frames.append(frames[-1] if step.operation.keeps_frame else step.operation.input_frame(step))
    return frames[::-1]


def _needs_gradient(steps: Sequence[Step], frozen: Collection[str]) -> list[bool]:
    """Tell for the input of each step, and the last output, whether a parameter before it is trained."""
    needs = [False]
    for step in steps:
        needs.append(needs[-1] or is_trained(step.parameter_names, frozen))
    return needs
