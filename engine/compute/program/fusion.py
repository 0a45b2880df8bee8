"""From layers to steps: which operation does which layers, and which layers are done together."""

from dataclasses import replace
from math import prod

from engine.compute.program.operations import (
    OPERATIONS,
    ConvolutionByTaps,
    Copy,
    Operation,
    Stem,
    Step,
    Winograd,
    WinogradBlocks,
    WinogradPool,
)
from engine.compute.program.weights import blocks_of
from engine.errors import ModelError
from engine.nn.layers import Conv2d, Layer, Layers, MaxPool2d, Relu, Residual, Shape
from engine.nn.model import Model

# From which on pixels are multiplied where they are: with fewer, copies of patches cost less than they save.
CHANNELS = 8
# From which on Winograd's transforms cost less than they save, beside CHANNELS in and out:
EDGE = 3  # rows and columns of outputs
TAPS = 5  # of a kernel that is cut into blocks of 3 x 3, for each of them


def steps_of(model: Model) -> list[Step]:
    """Return the steps of `model`, in order. ModelError for a layer without an operation."""
    steps = _steps(model.layers, model.shape, 0)
    if not steps[0].operation.takes_images:
        steps.insert(0, Step(Copy, (), model.shape, model.shape))
    return steps


def _steps(layers: Layers, shape: Shape, place: int, within: bool = False) -> list[Step]:
    """Return the steps of layers that follow one another; `within` another layer none is the first of the model."""
    layers = _pools_first(layers)
    steps: list[Step] = []
    while layers:
        step = _fused(layers, shape, first=not steps and not within) or _single(layers[0], shape, place)
        steps.append(replace(step, place=place))
        place += _count(step.layers)
        shape, layers = step.output, layers[len(step.layers) :]
    return steps


def _pools_first(layers: Layers) -> Layers:
    """Let every max-pool go before a ReLU: the result is the same to the bit, on a quarter of the values.

    Both are monotonic, so they commute; and where all values of a window are below 0, ReLU stops the gradient.
    """
    out = list(layers)
    for place in range(len(out) - 1):
        if isinstance(out[place], Relu) and isinstance(out[place + 1], MaxPool2d):
            out[place : place + 2] = out[place + 1], out[place]
    return tuple(out)


def _fused(layers: Layers, shape: Shape, first: bool) -> Step | None:
    """Return a step for a convolution of stride 1 and the pool after it, where one beats doing each alone."""
    conv = layers[0]
    if type(conv) is not Conv2d or not _is_even(conv, shape):
        return None
    pool = layers[1] if len(layers) > 1 and type(layers[1]) is MaxPool2d and layers[1].size == 2 else None
    output = conv.output_shape(shape)
    if pool and first and shape[2] == 1:
        return Step(Stem, (conv, pool), shape, pool.output_shape(output))
    if conv.kernel != 3 or conv.borders(shape)[0][0] > 1 or min(shape[2], conv.filters) < CHANNELS:
        return None
    if min(output[:2]) < EDGE:
        return None
    if pool:
        return Step(WinogradPool, (conv, pool), shape, pool.output_shape(output))
    return Step(Winograd, (conv,), shape, output)


def _is_even(conv: Conv2d, shape: Shape) -> bool:
    """Tell whether a convolution has stride 1, a square kernel and as much padding on every side."""
    rows, columns = conv.borders(shape)
    return conv.stride == 1 and isinstance(conv.kernel, int) and len({*rows, *columns}) == 1


def _in_blocks(layer: Layer, shape: Shape) -> bool:
    """Tell whether it pays to cut the kernel of a convolution into blocks of 3 x 3."""
    if type(layer) is not Conv2d or layer.stride != 1 or min(shape[2], layer.filters) < CHANNELS:
        return False
    large = prod(layer.window) >= TAPS * prod(blocks_of(layer.window))
    return large and min(layer.output_shape(shape)[:2]) >= EDGE


def _count(layers: Layers) -> int:
    """Return how many layers there are, those within others instead of these."""
    return sum(not isinstance(layer, Residual) for outer in layers for layer in outer.everything())


def _single(layer: Layer, shape: Shape, place: int) -> Step:
    branches: tuple[tuple[Step, ...], ...] = ()
    if isinstance(layer, Residual):
        body = _steps(layer.layers, shape, place, within=True)
        branches = tuple(body), tuple(_steps(layer.shortcut, shape, place + _count(layer.layers), within=True))
    kind = WinogradBlocks if _in_blocks(layer, shape) else _operation(layer, shape)
    return Step(kind, (layer,), shape, layer.output_shape(shape), branches=branches)


def _operation(layer: Layer, shape: Shape) -> type[Operation]:
    if type(layer) is Conv2d and layer.steps == (1, 1) and shape[2] >= CHANNELS:
        return ConvolutionByTaps
    for kind in type(layer).__mro__:
        if kind in OPERATIONS:
            return OPERATIONS[kind]
    raise ModelError(f"{layer.name}: no operation is registered for layers of type {type(layer).__name__}")
