"""What a layer is: a frozen description. Numerics live in `program` and `kernels`."""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from engine.errors import ModelError
from engine.nn.parameters import Spec

Shape = tuple[int, ...]  # of one sample: (H, W, C) for images, (F,) for features

REGISTRY: dict[str, type["Layer"]] = {}


@dataclass(frozen=True)
class Layer:
    """Base of all layers. `name` prefixes the names of its parameters; empty: the model gives it one."""

    prefix: ClassVar[str]
    name: str = field(default="", kw_only=True)

    def __init_subclass__(cls) -> None:
        """Register the class by its name, so that a description can be turned back into the layer."""
        REGISTRY[cls.__name__] = cls

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one sample after this layer; ModelError when `shape` does not fit."""
        raise NotImplementedError

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:  # noqa: ARG002
        """Return the layer's parameter arrays for inputs of `shape`."""
        return ()

    def describe(self) -> dict[str, Any]:
        """Return plain data from which `layer_from` rebuilds the layer."""
        return {"type": type(self).__name__} | {f.name: getattr(self, f.name) for f in fields(self)}


def need_image(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    """Return (H, W, C), or raise ModelError if the sample is no image."""
    if len(shape) != 3:
        kind = type(layer).__name__
        raise ModelError(f"{layer.name}: {kind} needs images (H, W, C), but gets {shape}, which are features")
    return shape[0], shape[1], shape[2]


def need_positive(layer: Layer, **values: object) -> None:
    """Raise ModelError unless every value is a whole number of at least 1."""
    for name, value in values.items():
        if type(value) is not int or not 1 <= value <= 1 << 20:
            raise ModelError(f"{type(layer).__name__}: {name} must be a whole number from 1 to 1048576, got {value!r}")


def layer_from(description: object) -> Layer:
    """Rebuild a layer from `Layer.describe()`; ModelError for an unknown type or field."""
    if not isinstance(description, dict) or not isinstance(description.get("type"), str):
        raise ModelError(f"a layer is a table with a 'type', got {description!r}")
    known = REGISTRY.get(description["type"])
    if known is None:
        raise ModelError(f"no layer type {description['type']!r}; there are {', '.join(sorted(REGISTRY))}")
    given = {k: v for k, v in description.items() if k != "type"}
    names = [f.name for f in fields(known)]
    if unknown := sorted(given.keys() - set(names)):
        raise ModelError(f"{known.__name__} has no {unknown[0]!r}; its settings are {', '.join(names)}")
    try:
        return known(**given)
    except TypeError as error:
        raise ModelError(f"{known.__name__}: {error}; its settings are {', '.join(names)}") from None
