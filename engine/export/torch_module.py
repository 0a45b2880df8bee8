"""A model as the source of a PyTorch module, which needs nothing of gradsum."""

from collections.abc import Callable, Iterator
from string import Template
from typing import Any

from engine.export.torch_names import torch_layer
from engine.export.trained import Trained, refuse
from engine.nn import layers
from engine.nn.layers import Layer, Layers, Shape
from engine.nn.loss_options import SQUARED_ERROR

MODULE = Template('''"""A network trained by gradsum, as a PyTorch module. `load()` returns it with its parameters.

$about
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

CLASSES = $classes
COLUMNS = $columns
TARGETS = $targets
PARAMS_SHA256 = "$sha"


class Network(nn.Module):
    """Takes $takes; returns logits [N, $outputs]."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor($mean, dtype=torch.float64), persistent=False)
        self.register_buffer("deviation", torch.tensor($deviation, dtype=torch.float64), persistent=False)
$modules
    def forward(self, x):
$forward
        return x

$answer

def load(path=Path(__file__).with_suffix(".safetensors")):
    """Return the network with the parameters in `path`, ready to answer."""
    network = Network()
    network.load_state_dict(load_file(path))
    return network.eval()
''')
PROBABILITIES = Template('''    def probabilities(self, x):
        """Return how probable each class is, [N, $classes]."""
        return $formula
''')
VALUES = Template('''    def values(self, x):
        """Return the values in the units of the training set, float64 [N, $outputs]."""
        deviation = torch.tensor($deviation, dtype=torch.float64)
        return self(x).double() * deviation + torch.tensor($mean, dtype=torch.float64)
''')


def source(network: Trained) -> str:
    """Return the text of the module; ModelError for a layer that is not built in."""
    model, images = network.model, len(network.model.shape) == 3
    size = ", ".join(map(str, model.shape))
    steps = list(_in_order(model.layers, "x", model.shape, 0))
    modules = [f"        self.{made[0]} = {made[1]}\n" for made, _ in steps if made]
    forward = ["x = ((x.double() - self.mean) / self.deviation).float()"] + [line for _, line in steps if line]
    if images:
        forward[:1] = ["x = x.unsqueeze(-1) if x.dim() == 3 else x", *forward[:1], "x = x.permute(0, 3, 1, 2)"]
    else:
        forward[:1] = ["x = x.float()", *forward[:1]]
    about = "Images are uint8, as they are in files, and features numbers: the normalisation is inside."
    return MODULE.substitute(
        about=about,
        classes=repr(list(network.classes)),
        columns=repr(list(network.columns)),
        targets=repr(list(network.targets)),
        sha=model.layout().sha256(network.parameters),
        takes=f"images, uint8 [N, {size}] (height, width, channels)" if images else f"features [N, {size}]",
        outputs=model.classes,
        mean=list(network.normalisation.mean),
        deviation=list(network.normalisation.deviation),
        modules="".join(modules),
        forward="\n".join(f"        {line}" for line in forward),
        answer=_answer(network),
    )


def _answer(network: Trained) -> str:
    """Return the method that turns logits into what people want to know."""
    outputs, classes = network.model.classes, len(network.classes)
    if network.values is not None:
        mean, deviation = list(network.values.mean), list(network.values.deviation)
        return VALUES.substitute(outputs=outputs, mean=mean, deviation=deviation)
    logits = "self(x)" if classes == outputs else f"self(x)[:, :{classes}]"
    formula = f"{logits}.softmax(1)" if network.model.loss != SQUARED_ERROR else f"{logits}.clamp(0, 1)"
    return PROBABILITIES.substitute(classes=classes, formula=formula)


# The attribute that a layer is, by name and constructor, if it has a state; and its line of `forward`, if it has one.
Step = tuple[tuple[str, str] | None, str]


def _in_order(some: Layers, x: str, shape: Shape, depth: int) -> Iterator[Step]:
    """Yield what layers become that change the variable `x`, within `depth` others."""
    for layer in some:
        if isinstance(layer, layers.Residual):
            past = f"past{depth + 1}"
            yield None, f"{past} = {x}"
            yield from _in_order(layer.layers, x, shape, depth + 1)
            yield from _in_order(layer.shortcut, past, shape, depth + 1)
            yield None, f"{x} = {x} + {past}"
        elif type(layer) in CALLS:
            yield None, f"{x} = {CALLS[type(layer)](layer, x)}"
        elif type(layer) in MODULES:
            yield from _module(layer, x, shape)
        else:
            refuse(layer, "PyTorch")
        shape = layer.output_shape(shape)


def _module(layer: Layer, x: str, shape: Shape) -> Iterator[Step]:
    name = torch_layer(layer.name)
    if isinstance(layer, layers.Conv2d):
        (above, below), (left, right) = layer.borders(shape)
        if (above, left) != (below, right):
            yield None, f"{x} = F.pad({x}, ({left}, {right}, {above}, {below}))"
    yield (name, MODULES[type(layer)](layer, shape)), f"{x} = self.{name}({x})"


def _conv2d(layer: layers.Conv2d, shape: Shape) -> str:
    (above, below), (left, right) = layer.borders(shape)
    padding = (above, left) if (above, left) == (below, right) else 0
    sizes = f"{shape[2]}, {layer.filters}, {layer.window}, {layer.steps}"
    return f"nn.Conv2d({sizes}, padding={padding}, bias={layer.bias})"


def _norm(layer: layers.Norm, shape: Shape) -> str:
    return f"nn.GroupNorm({layer.parts()}, {shape[-1]}, eps={layer.epsilon!r})"


MODULES: dict[type[Layer], Callable[[Any, Shape], str]] = {
    layers.Conv2d: _conv2d,
    layers.Dense: lambda layer, shape: f"nn.Linear({shape[0]}, {layer.features})",
    layers.Dropout: lambda layer, _: f"nn.Dropout({layer.rate!r})",
    layers.GroupNorm: _norm,
    layers.LayerNorm: _norm,
}
CALLS: dict[type[Layer], Callable[[Any, str], str]] = {
    layers.AvgPool2d: lambda layer, x: f"F.avg_pool2d({x}, {layer.size}, ceil_mode=True, count_include_pad=False)",
    layers.Flatten: lambda _, x: f"{x}.flatten(1)",
    layers.Gelu: lambda _, x: f"F.gelu({x})",
    layers.GlobalAvgPool: lambda _, x: f"{x}.mean((2, 3))",
    layers.LeakyRelu: lambda layer, x: f"F.leaky_relu({x}, {layer.slope!r})",
    layers.MaxPool2d: lambda layer, x: f"F.max_pool2d({x}, {layer.size}, ceil_mode=True)",
    layers.Relu: lambda _, x: f"F.relu({x})",
    layers.Sigmoid: lambda _, x: f"torch.sigmoid({x})",
    layers.Silu: lambda _, x: f"F.silu({x})",
    layers.Softplus: lambda _, x: f"F.softplus({x})",
    layers.Tanh: lambda _, x: f"torch.tanh({x})",
}
