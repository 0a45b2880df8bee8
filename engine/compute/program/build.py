"""From sections to operations bound to buffers."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compute.program.buffers import Activation, Arena
from engine.compute.program.operations import Operation, Site
from engine.compute.program.operations.chain import activation, chain, frames_of, needs_gradient, scratch_of
from engine.compute.program.sections import Section
from engine.compute.program.weights import Weights
from engine.kernels import Array, Backend

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
        frames, needs = frames_of(steps), needs_gradient(steps, self.weights.frozen)
        samples = inputs if inputs.ndim == 4 else inputs[:, None, None]
        everything = Activation(frames[0], samples.transpose(1, 2, 0, 3), None, len(inputs))
        places = [everything.part(chunk.start, chunk.stop) for chunk in sections[0].chunks]
        scratch = self.arena.keep(max(scratch_of(section.steps, len(section.chunks[0])) for section in sections))
        out: list[list[Chunk]] = []
        at = 0
        for number, section in enumerate(sections):
            end = at + len(section.steps)
            last = number + 1 == len(sections)
            targets = (range(len(inputs)),) if last else sections[number + 1].chunks
            outputs = [activation(self.arena, frames[end], len(chunk), needs[end]) for chunk in targets]
            chunks = []
            for x, chunk in zip(places, section.chunks, strict=True):
                y = _part(outputs, targets, chunk)
                first, last = chunk.start == 0, chunk.stop == len(inputs)
                site = Site(self.backend, self.weights, self.arena, scratch, first, last, chunk.start)
                chunks.append(chain(steps[at:end], frames[at:end], needs[at:end], x, y, site))
            out.append(chunks)
            places, at = outputs, end
        return out, places[0]


def _part(outputs: Sequence[Activation], targets: Sequence[range], chunk: range) -> Activation:
    """Return the samples of `chunk` in the one of `outputs` that holds them: chunks nest in those that follow."""
    pairs = zip(outputs, targets, strict=True)
    return next(y.part(chunk.start - to.start, chunk.stop - to.start) for y, to in pairs if chunk.start in to)
