"""A model: an ordered list of layers, the shape of its input, and its loss. Data only; no numerics."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import ModelError
from engine.nn.layer_lists import named, with_dropout_before_activations, with_rate
from engine.nn.layers import (
    Dropout,
    Layer,
    Shape,
    layers_from,
)
from engine.nn.loss_options import CROSS_ENTROPY, LOSSES, SQUARED_ERROR
from engine.nn.own.losses import OWN_LOSSES, learns_values
from engine.nn.parameters import Layout

MOST_FEATURES = 1 << 20
MOST_PARAMETERS = 1 << 40  # more than any machine has memory for
LARGEST = 1 << 16  # of height, width and channels


@dataclass(frozen=True)
class Model:
    """Layers applied in order to images of `shape` (H, W, C), or to features (D,), ending in `loss` over the outputs.

    The outputs are the last layer's features: one for each class, or one for each value to be predicted, of which
    the loss is mean_squared_error.

    Layers without a name get one: c1, c2, ... for convolutions, fc1, ... for dense layers, relu1 and so on.
    Raises ModelError when layers do not fit each other.
    """

    layers: tuple[Layer, ...]
    shape: Shape = (28, 28, 1)
    loss: str = CROSS_ENTROPY

    def __post_init__(self) -> None:
        if self.loss not in (there := (*LOSSES, *OWN_LOSSES)):
            raise ModelError(f"no loss {self.loss!r:.60}; there are {', '.join(there)}; --import adds your own")
        shape = tuple(self.shape) if isinstance(self.shape, list | tuple) else ()
        most = {1: MOST_FEATURES, 3: LARGEST}.get(len(shape), 0)
        if not all(type(n) is int and 1 <= n <= most for n in shape) or not most:
            raise ModelError(
                f"a model's shape is (H, W, C), whole numbers from 1 to {LARGEST}, got {self.shape!r:.60}; or (D,), "
                f"the number of features, at most {MOST_FEATURES}"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "layers", named(self.layers))
        if len(self.shapes()[-1]) != 1:
            raise ModelError(f"a model must end in features (F,), this one ends in {self.shapes()[-1]}; add a Dense")

    def shapes(self) -> list[Shape]:
        """Return the shape of a sample before the first layer and after each layer."""
        shapes: list[Shape] = [self.shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return shapes

    def every_layer(self) -> Iterator[Layer]:
        """Yield all layers, each before those within it."""
        for layer in self.layers:
            yield from layer.everything()

    @property
    def classes(self) -> int:
        """The number of outputs."""
        return self.shapes()[-1][0]

    def layout(self) -> Layout:
        """Return where each parameter lives in the flat vector; ModelError for more than any machine could hold."""
        pairs = [pair for layer, at in zip(self.layers, self.shapes(), strict=False) for pair in layer.leaves(at)]
        layout = Layout({f"{layer.name}.{s.name}": s for layer, shape in pairs for s in layer.parameters(shape)})
        if layout.size > MOST_PARAMETERS:
            raise ModelError(f"the model has {layout.size:,} parameters; {MOST_PARAMETERS:,} is the limit")
        return layout

    def describe(self) -> dict[str, Any]:
        """Return plain data from which `model_from` rebuilds the model."""
        return {"shape": list(self.shape), "loss": self.loss, "layers": [layer.describe() for layer in self.layers]}

    def with_dropout(self, rate: float) -> "Model":
        """Return the model with dropout of `rate` before every activation between dense layers.

        Dropout layers that are already there take the new rate instead.
        """
        if any(isinstance(layer, Dropout) for layer in self.every_layer()):
            return replace(self, layers=with_rate(self.layers, rate))
        changed = replace(self, layers=with_dropout_before_activations(self.layers, rate))
        if not any(isinstance(layer, Dropout) for layer in changed.every_layer()):
            raise ModelError("dropout goes between a Dense layer and its activation; this model has no such place")
        return changed


def model_from(description: object) -> Model:
    """Rebuild a model from `Model.describe()` or from a parsed TOML file; ModelError says what is wrong and where."""
    if not isinstance(description, dict) or not isinstance(description.get("layers"), list):
        raise ModelError("a model is a table with a list 'layers' (in TOML: [[layers]] tables)")
    for name in description:
        if name not in ("layers", "shape", "loss"):
            raise ModelError(f"a model has no {name!r:.60}; it has shape, loss and layers")
    layers = layers_from(description["layers"])
    rest = {name: value for name, value in description.items() if name != "layers"}
    return Model(tuple(layers), **rest)


def check_fits(model: Model, shape: Shape, outputs: int, values: bool = False) -> None:
    """Raise ModelError unless the model suits samples of `shape` with so many classes, or `values` to be predicted."""
    if model.shape != shape:
        has = "x".join(map(str, shape)) if len(shape) == len(model.shape) else _samples(shape)
        raise ModelError(f"the model takes {_samples(model.shape)}, the data has {has}")
    if values:
        if not learns_values(model.loss):
            raise ModelError(
                f"the data has values to be predicted, which {model.loss} cannot learn: "
                f'the model needs loss = "{SQUARED_ERROR}"'
            )
        if model.classes != outputs:
            raise ModelError(
                f"the model has {model.classes} outputs, the data {outputs} values to be predicted; "
                f"give the last Dense {outputs} features"
            )
    elif model.loss in OWN_LOSSES and learns_values(model.loss):
        raise ModelError(f"the data has classes, and the loss {model.loss} is for values to be predicted")
    elif model.classes < outputs:
        raise ModelError(f"the model has {model.classes} outputs, the data {outputs} classes; enlarge the last Dense")


def _samples(shape: Shape) -> str:
    """Return what samples of `shape` are, for a message."""
    return f"images of {'x'.join(map(str, shape))} (H x W x C)" if len(shape) == 3 else f"{shape[0]} features"
