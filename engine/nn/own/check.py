"""Whether layers and losses that a person wrote are what they say: functions of one sample, with the right gradient.

The gradient is compared with central differences along random directions, in float64: of L, the outputs times random
signs, for layers, and of the losses themselves. Both are computed with the model's own shapes, before a run begins.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.errors import OwnCodeError, SettingsError
from engine.nn.layers.base import Shape, layer_from
from engine.nn.model import Model
from engine.nn.own.blame import line_of
from engine.nn.own.imports import imported
from engine.nn.own.layer import OwnLayer
from engine.nn.own.losses import OWN_LOSSES, OwnLoss

SAMPLES = 3
DIRECTIONS = 2
# How far to go along a direction, and how much of the gradient's norm the two may differ by; for outputs of float64,
# and for what was made float32 on the way.
FINE, COARSE = (1e-6, 1e-4), (1e-2, 5e-2)
SEED = 20

Doubles = NDArray[np.float64]


def check_own(model: Model) -> None:
    """Check all that a person wrote in a model; OwnCodeError says what is wrong, in which file and line."""
    for layer, shape in _own_layers(model):
        _check_layer(layer, shape)
    if loss := OWN_LOSSES.get(model.loss):
        _check_loss(loss, model.classes)


def check_imported(model: Model) -> None:
    """Raise SettingsError for a layer or loss of a module that workers would not know of."""
    known = {one.module.__name__ for one in imported()}
    used: dict[str, str] = {type(layer).__name__: type(layer).__module__ for layer in own_layers(model)}
    if loss := OWN_LOSSES.get(model.loss):
        used[loss.name] = loss.function.__module__
    for name, module in used.items():
        if not any(module == one or module.startswith(f"{one}.") for one in known):
            given = "its file" if module == "__main__" else module
            raise SettingsError(f"{name} is your own, from {module}, and workers must know it: give --import {given}")


def own_layers(model: Model) -> list[OwnLayer]:
    """Return the layers of a model that a person wrote."""
    return [layer for layer, _ in _own_layers(model)]


def _own_layers(model: Model) -> Iterator[tuple[OwnLayer, Shape]]:
    for outer, at in zip(model.layers, model.shapes(), strict=False):
        for layer, shape in outer.leaves(at):
            if isinstance(layer, OwnLayer):
                yield layer, shape


def _check_layer(layer: OwnLayer, shape: Shape) -> None:
    """Check one layer for samples of `shape`."""
    kind, rng = type(layer), np.random.default_rng(SEED)
    if layer_from(layer.describe()) != layer:
        raise OwnCodeError(f"{kind.__name__}: its settings must be numbers, text, true or false, or tuples of these")
    x = rng.standard_normal((SAMPLES, *shape))
    parameters = {spec.name: _some(spec.shape, spec.initial, spec.fan_in, rng) for spec in layer.parameters(shape)}
    after, where = layer.output_shape(shape), line_of(kind.forward)
    y, saved = layer.outputs(x.copy(), parameters, after)
    if not np.isfinite(y).all():
        raise OwnCodeError(f"{where}forward of {layer.name}: outputs for ordinary inputs are not finite")
    again, _ = layer.outputs(x.copy(), parameters, after)
    alone, _ = layer.outputs(x[:1].copy(), parameters, after)
    if not np.array_equal(y, again):
        raise OwnCodeError(f"{where}forward of {layer.name}: the same inputs give other outputs: it must not be random")
    if not np.allclose(alone, y[:1], 1e-4, 1e-6):
        raise OwnCodeError(
            f"{where}forward of {layer.name}: what it makes of a sample depends on which others come with it, and so "
            "on the workers"
        )
    signs = rng.choice([-1.0, 1.0], y.shape)
    dx, own = layer.gradients(signs.astype(y.dtype), saved, parameters, shape)
    if layer.surrogate:
        return
    for name, point, gradient in (("x", x, dx), *((name, parameters[name], own[name]) for name in parameters)):

        def total(moved: Doubles, name: str = name) -> float:
            at = parameters | {name: moved}
            return float((layer.outputs(at.pop("x", x.copy()), at, after)[0] * signs).sum())

        if wrong := _difference(total, point, gradient, y.dtype == np.float64, rng):
            raise OwnCodeError(f"{line_of(kind.backward)}backward of {layer.name}: its gradient of {name} {wrong}")


def _some(shape: tuple[int, ...], initial: float | None, fan_in: int, rng: np.random.Generator) -> Doubles:
    """Return a parameter near to where it begins."""
    limit = 1 / np.sqrt(fan_in)
    return rng.uniform(-limit, limit, shape) if initial is None else initial + 0.1 * rng.standard_normal(shape)


def _check_loss(loss: OwnLoss, outputs: int) -> None:
    rng = np.random.default_rng(SEED)
    z = rng.standard_normal((SAMPLES, outputs))
    labels = rng.integers(0, outputs, SAMPLES).astype(np.int32)
    targets = rng.standard_normal(z.shape) if loss.values else labels
    losses, gradient = loss(z.copy(), targets.copy())
    if not np.allclose(loss(z[:1].copy(), targets[:1].copy())[0], losses[:1], 1e-4, 1e-6):
        raise OwnCodeError(f"{line_of(loss.function)}loss {loss.name}: that of a sample depends on the others")

    def total(moved: Doubles) -> float:
        return float(np.sum(loss(moved, targets.copy())[0], dtype=np.float64))

    if wrong := _difference(total, z, gradient, np.asarray(losses).dtype == np.float64, rng):
        raise OwnCodeError(f"{line_of(loss.function)}loss {loss.name}: its gradient {wrong}")


def _difference(
    total: Callable[[Doubles], float], point: Doubles, gradient: Doubles, fine: bool, rng: np.random.Generator
) -> str:
    """Return how the gradient of `total` at a point differs from what it should be; empty if it does not."""
    far, most = FINE if fine else COARSE
    for _ in range(DIRECTIONS):
        along = rng.choice([-1.0, 1.0], point.shape)
        slope = (total(point + far * along) - total(point - far * along)) / (2 * far)
        said = float((np.asarray(gradient, np.float64) * along).sum())
        scale = max(float(np.linalg.norm(gradient)), abs(slope), 1e-3)
        if not abs(said - slope) <= most * scale:
            return f"is wrong: it gives {said:.6g} along a direction where finite differences give {slope:.6g}"
    return ""
