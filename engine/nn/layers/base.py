"""What a layer is: a frozen description. Numerics live in `program` and `kernels`."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from engine.errors import ModelError
from engine.nn.parameters import Spec
from engine.system.spelling import hint

Shape = tuple[int, ...]  # of one sample: (H, W, C) for images, (F,) for features

LARGEST = 1 << 20  # of what a layer counts
REGISTRY: dict[str, type["Layer"]] = {}
Layers = tuple["Layer", ...]
NO_SUCH_LAYER = "; there are {}; --import adds your own"
NO_BATCH_NORM = (
    "{} is not offered: what it makes of a sample depends on which others are computed together with it, and so on the "
    "workers; use GroupNorm or LayerNorm, which normalise each sample by itself"
)


@dataclass(frozen=True)
class Layer:
    """Base of all layers. `name` prefixes the names of its parameters; if it is empty, the model chooses one."""

    prefix: ClassVar[str]
    name: str = field(default="", kw_only=True)

    def __init_subclass__(cls) -> None:
        """Register the class by its name, so that a description can be turned back into the layer.

        A class without a prefix is a base of others, and never the type of a layer.
        """
        if hasattr(cls, "prefix"):
            REGISTRY[cls.__name__] = cls

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one sample after this layer; ModelError when `shape` does not fit."""
        raise NotImplementedError

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:  # noqa: ARG002
        """Return the layer's parameter arrays for inputs of `shape`."""
        return ()

    def leaves(self, shape: Shape) -> Iterator[tuple["Layer", Shape]]:
        """Yield what computes, in order, with the shape of its input: this layer, or those that it consists of."""
        yield self, shape

    def everything(self) -> Iterator["Layer"]:
        """Yield this layer and all within it."""
        yield self

    def changed(self, change: Callable[[Layers], Layers]) -> "Layer":  # noqa: ARG002
        """Return the layer with `change` of each list of layers within it in its place."""
        return self

    @classmethod
    def read(cls, given: Mapping[str, Any], depth: int) -> dict[str, Any]:  # noqa: ARG003
        """Return the arguments for what a description, `depth` levels within others, gives."""
        return dict(given)

    @classmethod
    def build(cls, given: Mapping[str, Any], depth: int) -> "Layer":
        """Return the layer that a description, `depth` levels within others, gives."""
        return cls(**cls.read(given, depth))

    def describe(self) -> dict[str, Any]:
        """Return plain data from which `layer_from` rebuilds the layer."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {name: list(value) for name, value in given.items() if isinstance(value, tuple)}  # as JSON has them
        return {"type": type(self).__name__} | given | lists


def need_image(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    """Return (H, W, C), or raise ModelError if the sample is not an image."""
    if len(shape) != 3:
        kind = type(layer).__name__
        raise ModelError(f"{layer.name}: {kind} needs images (H, W, C), but gets {shape}, which are features")
    return shape[0], shape[1], shape[2]


def need_positive(layer: Layer, **values: object) -> None:
    """Raise ModelError unless every value is a whole number of at least 1."""
    for name, value in values.items():
        if type(value) is not int or not 1 <= value <= LARGEST:
            raise ModelError(
                f"{type(layer).__name__}: {name} must be a whole number from 1 to {LARGEST}, got {value!r:.60}"
            )


def layers_from(descriptions: object, name: str = "", depth: int = 0) -> list[Layer]:
    """Rebuild a list of layers, that of the model or the one called `name` in another layer.

    ModelError as `layer_from` raises, with the number of the layer.
    """
    if isinstance(descriptions, dict):
        descriptions = [descriptions]
    if not isinstance(descriptions, list | tuple):
        raise ModelError(f"{name} must be a list of layers, got {descriptions!r:.60}")
    layers, where = [], f"in {name}, " if name else ""
    for number, one in enumerate(descriptions, 1):
        try:
            layers.append(layer_from(one, depth))
        except ModelError as error:
            raise ModelError(f"{where}layer {number}: {error}") from None
    return layers


def layer_from(description: object, depth: int = 0) -> Layer:
    """Rebuild a layer from `Layer.describe()`; ModelError for an unknown type or field, or a value that cannot be."""
    if not isinstance(description, dict) or "type" not in description:
        raise ModelError(f"a layer is a table with a 'type', got {description!r:.60}")
    kind = description["type"]
    if isinstance(kind, str) and re.match("batch_?norm", kind, re.IGNORECASE):
        raise ModelError(NO_BATCH_NORM.format(f"{kind:.20}"))
    if not isinstance(kind, str) or kind not in REGISTRY:
        near = hint(kind, REGISTRY) if isinstance(kind, str) else ""
        raise ModelError(f"no layer type {kind!r:.60}" + (near or NO_SUCH_LAYER.format(", ".join(sorted(REGISTRY)))))
    known, given = REGISTRY[kind], {name: value for name, value in description.items() if name != "type"}
    names = [f.name for f in fields(known)]
    for name in given:
        if name not in names:
            near = hint(str(name), names)
            raise ModelError(f"{kind} has no {name!r:.60}" + (near or "; it has " + ", ".join(names)))
    for f in fields(known):
        if f.default is MISSING and f.default_factory is MISSING and f.name not in given:
            raise ModelError(f"{kind} needs {f.name!r}")
    return known.build(given, depth)
