"""What `layers` measures: each layer of ours and of PyTorch, in turns."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from torch import nn

from engine.compute.program import compile_model
from engine.compute.program.operations import Operation
from engine.kernels import choose
from engine.nn import layers as ours
from engine.nn.model import Model

MICROBATCH = 32
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A layer of ours, and of PyTorch, for inputs of `shape`."""

    name: str
    shape: Shape
    ours: ours.Layer
    theirs: nn.Module


@dataclass(frozen=True)
class Line:
    """What a case takes, in microseconds."""

    name: str
    gradsum: float
    torch: float
    ratio: float


def cases() -> list[Case]:
    """Return every layer with typical inputs."""
    image, features = (16, 16, 32), (512,)
    pairs: list[tuple[ours.Layer, nn.Module]] = [
        (ours.Relu(), nn.ReLU()),
        (ours.Gelu(), nn.GELU()),
        (ours.Tanh(), nn.Tanh()),
        (ours.Sigmoid(), nn.Sigmoid()),
        (ours.Silu(), nn.SiLU()),
        (ours.LeakyRelu(), nn.LeakyReLU()),
        (ours.Softplus(), nn.Softplus()),
        (ours.MaxPool2d(), nn.MaxPool2d(2)),
        (ours.AvgPool2d(), nn.AvgPool2d(2)),
        (ours.GlobalAvgPool(), nn.AdaptiveAvgPool2d(1)),
        (ours.GroupNorm(8), nn.GroupNorm(8, 32)),
        (ours.LayerNorm(), nn.GroupNorm(1, 32)),
        (ours.Conv2d(32, padding="same"), nn.Conv2d(32, 32, 3, padding=1)),
        (ours.Conv2d(32, padding="same", bias=False), nn.Conv2d(32, 32, 3, padding=1, bias=False)),
        (ours.Conv2d(64, 3, 2, "same"), nn.Conv2d(32, 64, 3, 2, padding=1)),
        (ours.Conv2d(64, 1, 2), nn.Conv2d(32, 64, 1, 2)),
        (ours.Conv2d(64, 1), nn.Conv2d(32, 64, 1)),
        (ours.Conv2d(32, (1, 5), padding="same"), nn.Conv2d(32, 32, (1, 5), padding=(0, 2))),
        (ours.Conv2d(32, 5, padding=2), nn.Conv2d(32, 32, 5, padding=2)),
        (ours.Residual(ours.Conv2d(32, padding=1)), Shortcut(nn.Conv2d(32, 32, 3, padding=1))),
    ]
    found = [Case(_named(layer), image, layer, module) for layer, module in pairs]
    return [*found, Case("LayerNorm of 512 features", features, ours.LayerNorm(), nn.LayerNorm(512))]


class Shortcut(nn.Module):  # type: ignore[misc,unused-ignore]  # without PyTorch, Any
    """y = layers(x) + x."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        found: torch.Tensor = self.layers(x) + x
        return found


def _named(layer: ours.Layer) -> str:
    if not isinstance(layer, ours.Conv2d):
        return type(layer).__name__
    kernel, stride = ("x".join(map(str, pair)) for pair in (layer.window, layer.steps))
    return f"Conv2d {kernel} / {stride} -> {layer.filters}" + ("" if layer.bias else ", no bias")


class Ours:
    """A network of one layer of interest, with a stopwatch around its operations."""

    def __init__(self, case: Case) -> None:
        first = ours.Conv2d(case.shape[-1], 1) if len(case.shape) == 3 else ours.Dense(case.shape[-1])
        model = (
            Model((first, case.ours), case.shape) if len(case.shape) == 1 else _closed((first, case.ours), case.shape)
        )
        self.program = compile_model(model, MICROBATCH, choose())
        parameters, self._out = self.program.layout.zeros(), self.program.layout.zeros()
        self.program.layout.initialise(parameters, 0)
        self.program.prepare(parameters)
        rng = np.random.default_rng(0)
        self._images = rng.standard_normal((MICROBATCH, *case.shape), np.float32)
        self._labels = np.zeros(MICROBATCH, np.int32)
        self._name, self._spent = model.layers[1].name, 0.0
        for operation in self.program._forward:
            if operation.step.name == self._name:
                self._watch(operation)

    def _watch(self, operation: Operation) -> None:
        for direction in ("forward", "backward"):
            plain: Callable[..., None] = getattr(operation, direction)

            def timed(*arguments: object, plain: Callable[..., None] = plain) -> None:
                began = process_time()
                plain(*arguments)
                self._spent += process_time() - began

            setattr(operation, direction, timed)

    def run(self) -> float:
        """Return the seconds of the layer in one micro-batch."""
        self._spent = 0.0
        self.program.gradient(self._images, self._labels, (), self._out)
        return self._spent


def _closed(some: tuple[ours.Layer, ...], shape: Shape) -> Model:
    """Return a model of these layers that ends in features."""
    out = shape
    for layer in some:
        out = layer.output_shape(out)
    return Model(some if len(out) == 1 else (*some, ours.Flatten()), shape)


class Theirs:
    """PyTorch's layer, forward and backward."""

    def __init__(self, case: Case, channels_last: bool) -> None:
        shape = (MICROBATCH, *case.shape[-1:], *case.shape[:-1])
        form = torch.channels_last if channels_last and len(shape) == 4 else torch.contiguous_format
        self._module = case.theirs.to(memory_format=form)
        self._x = torch.randn(shape).to(memory_format=form).requires_grad_()
        self._dy = torch.randn_like(self._module(self._x).detach())

    def run(self) -> float:
        """Return the seconds of forward and backward."""
        for tensor in (self._x, *self._module.parameters()):
            tensor.grad = None
        began = process_time()
        self._module(self._x).backward(self._dy)
        return process_time() - began


def measure(case: Case, rounds: int) -> Line:
    """Return the medians of a case."""
    torch.set_num_threads(1)
    contenders: list[Any] = [Ours(case), Theirs(case, channels_last=False), Theirs(case, channels_last=True)]
    found = [[contender.run() for contender in contenders] for _ in range(rounds + 5)][5:]
    mine, plain, last = (1e6 * median(column) for column in zip(*found, strict=True))
    return Line(case.name, mine, min(plain, last), min(plain, last) / mine)
