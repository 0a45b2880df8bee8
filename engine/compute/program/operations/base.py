"""What an operation of a program is: one or more layers, bound to their buffers for some samples."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from engine.compute.program.buffers import Activation, Arena, PaddedShape, carve, plain_frame
from engine.compute.program.weights import Parameter, Weights
from engine.kernels import Array, Backend
from engine.kernels.streams import Stream
from engine.nn.layers import Layer, Shape


@dataclass(frozen=True)
class Step:
    """What is to be done: one operation takes `layers` together; `input` and `output` are shapes of a sample.

    `place` is that of the first of the layers in the model, from 0; those that only hold others do not count.
    `branches` are the steps of such a one.
    """

    operation: type["Operation"]
    layers: tuple[Layer, ...]
    input: Shape
    output: Shape
    place: int = 0
    branches: tuple[tuple["Step", ...], ...] = ()

    @property
    def name(self) -> str:
        """The names of the layers, joined."""
        return "+".join(layer.name for layer in self.layers)

    @property
    def parameter_names(self) -> list[str]:
        """The full names of the parameters of the layers, or those within them."""
        inner = [name for branch in self.branches for step in branch for name in step.parameter_names]
        return inner + [f"{layer.name}.{spec.name}" for layer in self.layers for spec in layer.parameters(self.input)]

    @property
    def parameters(self) -> int:
        """How many parameters the layers have, or those within them."""
        inner = sum(step.parameters for branch in self.branches for step in branch)
        return inner + sum(prod(spec.shape) for layer in self.layers for spec in layer.parameters(self.input))


@dataclass(frozen=True)
class Site:
    """What an operation is built with, beside its step and its activations.

    `scratch` is for all operations, as large as the neediest wants. `microbatch` is the number of samples of each
    micro-batch but the last, which may be smaller: gradients of parameters are summed up for each, then in pairs.
    """

    backend: Backend
    weights: Weights
    arena: Arena
    scratch: Array
    microbatch: int


class Operation(ABC):
    """One step for N samples. Reads x.value, writes y.value; reads y.gradient, writes x.gradient.

    All views are made in the constructor, so that `forward` and `backward` only compute.
    """

    keeps_frame: ClassVar[bool] = False  # x lies in its buffer as y does, borders included
    takes_images: ClassVar[bool] = False  # x may be images as the caller has them, a strided view
    in_parts: ClassVar[bool] = True  # y may be some of the samples of its planes

    def __init__(self, step: Step, x: Activation, y: Activation, site: Site) -> None:
        self.step = step
        self.x = x
        self.y = y
        self.backend = site.backend
        self.microbatch = site.microbatch
        self.scratch = carve(site.scratch, self.scratch_shapes(step, x.N, site.microbatch, site.backend))

    @classmethod
    def input_frame(cls, step: Step) -> PaddedShape:
        """Return how x must lie in its buffer."""
        return plain_frame(step.input)

    @classmethod
    def scratch_shapes(cls, step: Step, N: int, microbatch: int, backend: Backend) -> list[tuple[int, ...]]:  # noqa: ARG003
        """Return the shapes of the arrays, `self.scratch`, that are only needed while a pass of N samples runs."""
        return []

    @classmethod
    def work(cls, step: Step) -> int:  # noqa: ARG003
        """Return the multiplications and additions of the direct formula, forward, for one sample."""
        return 0

    @classmethod
    def footprint(cls, step: Step) -> int:
        """Return roughly how many bytes a sample takes."""
        return 4 * (prod(step.input) + prod(step.output))

    def parts(self) -> list["Operation"]:
        """Return what there is to be looked at: the operations that this one consists of, and itself."""
        return [self]

    @abstractmethod
    def forward(self, rngs: Sequence[Stream]) -> None:
        """Compute y.value; `rngs`, one a micro-batch, are given in training only, for layers that are random."""

    @abstractmethod
    def backward(self) -> None:
        """Compute x.gradient, if there is one, and the gradients of the layers' parameters."""


def levels(N: int, microbatch: int) -> int:
    """Return how many sums wait at most while those of all micro-batches are added up in pairs."""
    return (-(-N // microbatch)).bit_length()


def parameter(step: Step, name: str, weights: Weights) -> Parameter:
    """Return the parameter `name` of the first layer of `step`."""
    return weights.parameters[f"{step.layers[0].name}.{name}"]
