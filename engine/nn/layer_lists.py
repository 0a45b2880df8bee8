"""What is done to a list of layers and to all lists within it: naming, dropout."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from engine.errors import ModelError
from engine.nn.layers import Dense, Dropout, Elementwise, Layer, Layers


def with_rate(layers: Layers, rate: float) -> Layers:
    """Return `layers` with another rate in every Dropout."""
    changed = [replace(x, rate=rate) if isinstance(x, Dropout) else x for x in layers]
    return tuple(layer.changed(lambda inner: with_rate(inner, rate)) for layer in changed)


def with_dropout_before_activations(layers: Layers, rate: float) -> Layers:
    """Return `layers` with a Dropout before every activation of a Dense."""
    out: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Elementwise) and out and isinstance(out[-1], Dense):
            out.append(Dropout(rate=rate))
        out.append(layer.changed(lambda inner: with_dropout_before_activations(inner, rate)))
    return tuple(out)


def named(layers: Layers) -> Layers:
    """Give a name to every layer that has none, those within others included.

    ModelError if two share a name, or if `layers` is not a list of layers.
    """
    _check_layers(layers)
    if not layers:
        raise ModelError("a model needs at least one layer")
    for number, outer in enumerate(layers, 1):
        for layer in outer.everything():
            if layer.name != "" and not (isinstance(layer.name, str) and layer.name.isidentifier()):
                raise ModelError(f"layer {number}: name must be a plain word like 'c1', got {layer.name!r:.60}")
    everything = [layer for outer in layers for layer in outer.everything()]
    names = [layer.name for layer in everything if layer.name]
    for name in names:
        if names.count(name) > 1:
            raise ModelError(f"two layers are named {name!r:.60}; names must differ")
    free = {prefix: _free(prefix, names) for prefix in {layer.prefix for layer in everything}}

    def given(some: Layers) -> Layers:
        out = []
        for layer in some:  # each before those within it
            called = layer if layer.name else replace(layer, name=next(free[layer.prefix]))
            out.append(called.changed(given))
        return tuple(out)

    return given(layers)


def _check_layers(layers: object) -> None:
    if not isinstance(layers, list | tuple):
        raise ModelError(f"a model has a list of layers, such as (Flatten(), Dense(10)), got {layers!r:.60}")
    for number, layer in enumerate(layers, 1):
        if not isinstance(layer, Layer):
            called = f"the class {layer.__name__}, not a layer" if isinstance(layer, type) else f"{layer!r:.60}"
            raise ModelError(f"layer {number} must be a layer, such as Dense(10), got {called}")


def _free(prefix: str, taken: list[str]) -> Iterator[str]:
    """Yield prefix1, prefix2, ... without the names that are taken."""
    return (name for number in count(1) if (name := f"{prefix}{number}") not in taken)
