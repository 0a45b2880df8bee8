"""What a program consists of, for people."""

from dataclasses import dataclass

from engine.compute.program.operations import Step
from engine.nn.layers import Shape


@dataclass(frozen=True)
class OperationInfo:
    """One operation of a program.

    `flops_forward` and `flops_backward` count the multiplications and additions of the direct formula for one sample;
    a fast algorithm does fewer. `parameters` is a number of float32 values, `chunk` of samples computed at a time, and
    `memory` roughly how many bytes these need meanwhile.
    """

    name: str
    kernel: str
    input: Shape
    output: Shape
    parameters: int
    flops_forward: int
    flops_backward: int
    chunk: int
    memory: int


def describe(step: Step, chunk: int, needs_input_gradient: bool, needs_gradient: bool) -> OperationInfo:
    """Describe `step`, run on `chunk` samples at a time; steps inside it are left out.

    `needs_gradient`: a parameter in it, or before it, is trained; `needs_input_gradient`: one before it is.
    """
    forward, own = step.operation.work(step), 0 if step.branches else step.parameters
    backward = forward * (1 + needs_input_gradient) if own and needs_gradient else 0
    kernel, memory = step.operation.__name__.removesuffix("Op"), step.operation.footprint(step) * chunk
    return OperationInfo(step.name, kernel, step.input, step.output, own, forward, backward, chunk, memory)
