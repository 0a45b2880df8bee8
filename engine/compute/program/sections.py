"""How a micro-batch is cut: sections of steps that run on chunks of as many samples as the cache holds.

The images part of a network works on small chunks, so that a chunk's buffers stay in cache; what follows `Flatten` is
small and runs once on the whole micro-batch. Chunks depend on model and micro-batch alone, as the order does in which
the gradients of parameters are summed up: chunk by chunk, within one by row, column and sample.
"""

from dataclasses import dataclass

from engine.compute.program.operations import Copy, Step

CHUNK_BYTES = 2 << 20  # what the buffers of a chunk may take; to change it changes bits


@dataclass(frozen=True)
class Section:
    """Steps that run one after the other on each of `chunks` (ranges of samples)."""

    steps: tuple[Step, ...]
    chunks: tuple[range, ...]


def sections_of(steps: list[Step], microbatch: int) -> list[Section]:
    """Cut `steps` where the chunk size changes; what ends a section writes into the next."""
    sizes = _sizes(steps, microbatch)
    out: list[Section] = []
    current: list[Step] = []
    for step, size, following in zip(steps, sizes, [*sizes[1:], microbatch], strict=True):
        current.append(step)
        if size != following:
            if not step.operation.takes_parts:
                current.append(Step(Copy, (), step.output, step.output))
            out.append(_section(current, size, microbatch))
            current = []
    if current:
        out.append(_section(current, microbatch, microbatch))
    return out


def _section(steps: list[Step], size: int, microbatch: int) -> Section:
    chunks = tuple(range(start, min(start + size, microbatch)) for start in range(0, microbatch, size))
    return Section(tuple(steps), chunks)


def _sizes(steps: list[Step], microbatch: int) -> list[int]:
    """Return the chunk size of every step: a power of two that never falls along the network, or all samples."""
    sizes: list[int] = []
    size = microbatch
    for step in reversed(steps):
        if len(step.input) == 3:
            fitting = max(1, CHUNK_BYTES // step.operation.footprint(step))
            size = min(size, 1 << (fitting.bit_length() - 1))
        sizes.append(size)
    return sizes[::-1]
