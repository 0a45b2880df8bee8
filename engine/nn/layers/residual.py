"""Layers with a shortcut around them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from engine.errors import ModelError
from engine.nn.layers.base import Layer, Layers, Shape, layers_from

DEEPEST = 8  # levels of layers within layers


@dataclass(frozen=True, init=False)
class Residual(Layer):
    """The outputs of `layers` plus those of `shortcut`, both for the same input (He, Zhang, Ren and Sun 2016).

    A shortcut without layers passes the input on as it is. One layer may stand for a list of one.
    """

    prefix: ClassVar[str] = "res"
    layers: Layers
    shortcut: Layers = ()

    def __init__(
        self, layers: Layer | Sequence[Layer], shortcut: Layer | Sequence[Layer] = (), *, name: str = ""
    ) -> None:
        given = {"name": name, "layers": _listed("layers", layers), "shortcut": _listed("shortcut", shortcut)}
        for field, value in given.items():
            object.__setattr__(self, field, value)
        if not self.layers:
            raise ModelError("Residual: layers must be a list of at least one layer, got []")
        if self.depth() > DEEPEST:
            raise ModelError(f"Residual: layers within layers go {DEEPEST} levels deep at most")

    @classmethod
    def read(cls, given: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Return what was given with layers in place of their descriptions; ModelError as `layer_from` raises."""
        if depth >= DEEPEST:
            raise ModelError(f"Residual: layers within layers go {DEEPEST} levels deep at most")
        branches = [name for name in ("layers", "shortcut") if name in given]
        return {**given, **{name: layers_from(given[name], name, depth + 1) for name in branches}}

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape in which both branches end; ModelError if it is not one."""
        ends = [list(_along(branch, shape))[-1] for branch in (self.layers, self.shortcut)]
        if ends[0] != ends[1]:
            said = " and ".join("x".join(map(str, end)) for end in ends)
            raise ModelError(f"{self.name}: layers and shortcut must end in the same shape, got {said}")
        return ends[0]

    def describe(self) -> dict[str, Any]:
        """Return plain data from which `layer_from` rebuilds the layer."""
        branches = {"layers": self.layers, "shortcut": self.shortcut}
        return super().describe() | {name: [x.describe() for x in branch] for name, branch in branches.items()}

    def leaves(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """Yield the layers of both branches, those within them in their place, each with the shape of its input."""
        for branch in (self.layers, self.shortcut):
            for layer, at in zip(branch, _along(branch, shape), strict=False):
                yield from layer.leaves(at)

    def everything(self) -> Iterator[Layer]:
        """Yield this layer and all within it."""
        yield self
        for layer in (*self.layers, *self.shortcut):
            yield from layer.everything()

    def changed(self, change: Callable[[Layers], Layers]) -> Layer:
        """Return this layer with `change` of each branch in its place."""
        return replace(self, layers=change(self.layers), shortcut=change(self.shortcut))

    def depth(self) -> int:
        """Return how many levels of layers there are."""
        inner = [layer.depth() for layer in (*self.layers, *self.shortcut) if isinstance(layer, Residual)]
        return 1 + max(inner, default=0)


def _listed(name: str, value: object) -> Layers:
    given = (value,) if isinstance(value, Layer) else value
    if not isinstance(given, list | tuple) or not all(isinstance(layer, Layer) for layer in given):
        raise ModelError(f"Residual: {name} must be a list of layers, got {value!r:.60}")
    return tuple(given)


def _along(layers: Layers, shape: Shape) -> Iterator[Shape]:
    """Yield `shape`, and the shape after each layer."""
    yield shape
    for layer in layers:
        shape = layer.output_shape(shape)
        yield shape
