"""Layers whose parameters stay as they are, chosen by their names."""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

from engine.errors import SettingsError
from engine.nn.parameters import Layout
from engine.system.spelling import hint


def layer_of(parameter: str) -> str:
    """Return the name of the layer that has the parameter with this full name."""
    return parameter.rpartition(".")[0]


def frozen_layers(text: str | None, layout: Layout) -> tuple[str, ...]:
    """Return the layers with parameters that `text` names: names or patterns, separated by commas, such as c*,fc1.

    SettingsError for one that is no layer's, or if no layer is left to train.
    """
    if text is None:
        return ()
    layers = list(dict.fromkeys(layer_of(name) for name in layout.specs))
    frozen: set[str] = set()
    for pattern in (word.strip() for word in text.split(",")):
        found = {layer for layer in layers if fnmatchcase(layer, pattern)}
        if not found:
            near = hint(pattern, layers) or f"; there are {', '.join(layers)}"
            raise SettingsError(f"freeze: no layer with parameters is called {pattern!r:.60}{near}")
        frozen |= found
    if len(frozen) == len(layers):
        raise SettingsError(f"freeze {text!r:.60}: no layer is left to train")
    return tuple(layer for layer in layers if layer in frozen)


def trained_parts(layout: Layout, frozen: Collection[str]) -> list[slice]:
    """Return the parts of the flat vector that are trained, as few as possible."""
    parts: list[slice] = []
    for name, place in layout.slices.items():
        if layer_of(name) in frozen:
            continue
        start = parts.pop().start if parts and parts[-1].stop == place.start else place.start
        parts.append(slice(start, place.stop))
    return parts


def is_trained(parameters: Iterable[str], frozen: Collection[str]) -> bool:
    """Tell whether one of the parameters with these full names is trained."""
    return any(layer_of(name) not in frozen for name in parameters)
