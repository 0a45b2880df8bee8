"""An independent float64 implementation of every layer, in the shapes that textbooks use: images [N, C, H, W].

Written for clarity with einsum and loops; shares no code with the engine. `gradients` is checked by finite differences.
"""

from collections.abc import Callable
from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.nn import layers
from engine.nn.loss_options import CROSS_ENTROPY
from engine.nn.model import Model

Doubles = NDArray[np.float64]
Parameters = dict[str, Doubles]
Pull = Callable[[Doubles], Doubles]  # from the gradient of an output to the gradient of the input
Back = Callable[[Doubles], tuple[Doubles, Doubles, Doubles]]  # and to the gradients of weights and bias

_phi = np.vectorize(lambda v: (1 + erf(v / sqrt(2))) / 2, otypes=[float])
_density = np.vectorize(lambda v: exp(-v * v / 2) / sqrt(2 * pi), otypes=[float])


def windows(x: Doubles, window: tuple[int, int], stride: tuple[int, int]) -> Doubles:
    """Return every patch of x [N, C, H, W]: a writable view [N, C, h, w, rows, columns]."""
    view = np.lib.stride_tricks.sliding_window_view(x, window, axis=(2, 3), writeable=True)
    return view[:, :, :: stride[0], :: stride[1]]


def pair(value: Any) -> tuple[int, int]:
    """Return a number twice, or the two that there are."""
    return tuple(value) if isinstance(value, tuple) else (value, value)


def borders(size: int, kernel: int, stride: int, padding: int | str) -> tuple[int, int]:
    """Return how many zeros go before and after, as TensorFlow's documentation has it for "same"."""
    if padding != "same":
        return int(padding), int(padding)
    total = max(kernel - stride if size % stride == 0 else kernel - size % stride, 0)
    return total // 2, total - total // 2


def conv2d(x: Doubles, layer: layers.Conv2d, filters: Doubles, bias: Doubles) -> tuple[Doubles, Back]:
    """Return y [N, O, h, w], and a function from y' to (x', filters', bias')."""
    kernel, stride, padding = pair(layer.kernel), pair(layer.stride), pair(layer.padding)
    (a, b), (c, d) = (borders(x.shape[2 + k], kernel[k], stride[k], padding[k]) for k in range(2))
    padded = np.pad(x, ((0, 0), (0, 0), (a, b), (c, d)))
    patches = windows(padded, kernel, stride)
    y = np.einsum("nchwab,ocab->nohw", patches, filters) + bias[:, None, None]

    def back(dy: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        dx = np.zeros_like(padded)
        for row in range(dy.shape[2]):
            for column in range(dy.shape[3]):
                top, left = row * stride[0], column * stride[1]
                patch = np.einsum("no,ocab->ncab", dy[:, :, row, column], filters)
                dx[:, :, top : top + kernel[0], left : left + kernel[1]] += patch
        inner = dx[:, :, a : a + x.shape[2], c : c + x.shape[3]]
        return inner, np.einsum("nchwab,nohw->ocab", patches, dy), dy.sum((0, 2, 3))

    return y, back


def dense(x: Doubles, w: Doubles, bias: Doubles) -> tuple[Doubles, Back]:
    """Return y [N, G], and a function from y' to (x', weights', bias')."""

    def back(dy: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        return np.einsum("ng,gf->nf", dy, w), np.einsum("ng,nf->gf", dy, x), dy.sum(0)

    return np.einsum("nf,gf->ng", x, w) + bias, back


def max_pool(x: Doubles, size: int) -> tuple[Doubles, Pull]:
    """Return the maximum of each window, the size rounded up; the gradient goes to the first maximum."""
    N, C, H, W = x.shape
    h, w = -(-H // size), -(-W // size)
    y, winner = np.empty((N, C, h, w)), np.empty((N, C, h, w, 2), int)
    for place in np.ndindex(N, C, h, w):
        top, left = place[2] * size, place[3] * size
        window = x[place[0], place[1], top : top + size, left : left + size]
        first = np.unravel_index(np.argmax(window), window.shape)
        y[place], winner[place] = window[first], (top + first[0], left + first[1])

    def back(dy: Doubles) -> Doubles:
        dx = np.zeros_like(x)
        for place in np.ndindex(N, C, h, w):
            dx[place[0], place[1], winner[place][0], winner[place][1]] += dy[place]
        return dx

    return y, back


def average_pool(x: Doubles, size: int) -> tuple[Doubles, Pull]:
    """Return the mean of each window, the size rounded up, of what is in it."""
    N, C, H, W = x.shape
    corners = [(top, left) for top in range(0, H, size) for left in range(0, W, size)]
    y = np.empty((N, C, -(-H // size), -(-W // size)))
    for top, left in corners:
        y[:, :, top // size, left // size] = x[:, :, top : top + size, left : left + size].mean((2, 3))

    def back(dy: Doubles) -> Doubles:
        dx = np.empty_like(x)
        for top, left in corners:
            window = dx[:, :, top : top + size, left : left + size]
            window[...] = dy[:, :, top // size, left // size, None, None] / window[0, 0].size
        return dx

    return y, back


def global_average(x: Doubles) -> tuple[Doubles, Pull]:
    """Return the mean of each channel, [N, C]."""
    return x.mean((2, 3)), lambda dy: np.broadcast_to(dy[:, :, None, None], x.shape) / x[0, 0].size


def loss_of(z: Doubles, labels: NDArray[Any], name: str) -> tuple[float, Doubles]:
    """Return the summed loss of outputs z [N, K], and its gradient; `labels` are values if they are floats [N, K]."""
    if labels.dtype.kind == "f":
        return float(((z - labels) ** 2).mean(1).sum()), 2 * (z - labels) / z.shape[1]
    hot = np.eye(z.shape[1])[labels]
    if name == CROSS_ENTROPY:
        e = np.exp(z - z.max(1, keepdims=True))
        softmax = e / e.sum(1, keepdims=True)
        return float(-np.log(softmax[hot == 1]).sum()), softmax - hot
    return float(((z - hot) ** 2).mean(1).sum()), 2 * (z - hot) / z.shape[1]


def forward(model: Model, parameters: Parameters, images: Doubles) -> tuple[Doubles, Callable[[Doubles], Parameters]]:
    """Return the outputs [N, K] for images [N, H, W, C] or features [N, D].

    And a function from their gradient to the parameters'.
    """
    x = images.astype(float)
    x = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
    gradients: Parameters = {}
    x, pull = _in_order(model.layers, x, parameters, gradients)

    def back(dz: Doubles) -> Parameters:
        pull(dz)
        return gradients

    return x, back


def _in_order(
    some: tuple[layers.Layer, ...], x: Doubles, parameters: Parameters, gradients: Parameters
) -> tuple[Doubles, Pull]:
    """Return the outputs of layers that follow one another, and a function from their gradient to the inputs'."""
    pulls: list[Pull] = []
    for layer in some:
        x, pull = _layer(layer, x, parameters, gradients)
        pulls.append(pull)

    def back(dy: Doubles) -> Doubles:
        for pull in reversed(pulls):
            dy = pull(dy)
        return dy

    return x, back


def residual(layer: layers.Residual, x: Doubles, parameters: Parameters, gradients: Parameters) -> tuple[Doubles, Pull]:
    """Return the sum of both branches."""
    (a, through), (b, past) = (_in_order(some, x, parameters, gradients) for some in (layer.layers, layer.shortcut))
    return a + b, lambda dy: through(dy) + past(dy)


def normalise(layer: layers.Norm, x: Doubles, parameters: Parameters, gradients: Parameters) -> tuple[Doubles, Pull]:
    """Return each group of channels normalised, then scaled and shifted: x is [N, C, ...]."""
    G = layer.groups if isinstance(layer, layers.GroupNorm) else 1
    scale, bias = (parameters[f"{layer.name}.{name}"] for name in ("scale", "bias"))
    wide = (slice(None), *(None,) * (x.ndim - 2))
    grouped = x.reshape(len(x), G, -1)
    root = np.sqrt(grouped.var(2, keepdims=True) + layer.epsilon)
    normal = (grouped - grouped.mean(2, keepdims=True)) / root
    h = normal.reshape(x.shape)
    others = (0, *range(2, x.ndim))

    def back(dy: Doubles) -> Doubles:
        gradients[f"{layer.name}.scale"], gradients[f"{layer.name}.bias"] = (dy * h).sum(others), dy.sum(others)
        d = (dy * scale[wide]).reshape(grouped.shape)
        lost = d.mean(2, keepdims=True) + normal * (d * normal).mean(2, keepdims=True)
        dx: Doubles = ((d - lost) / root).reshape(x.shape)
        return dx

    return h * scale[wide] + bias[wide], back


def gradients(model: Model, parameters: Parameters, images: Doubles, labels: NDArray[Any]) -> tuple[float, Parameters]:
    """Return the summed loss and the gradient of every parameter, by name, in public shape."""
    z, back = forward(model, parameters, images)
    loss, dz = loss_of(z, labels, model.loss)
    return loss, back(dz)


def _layer(layer: layers.Layer, x: Doubles, parameters: Parameters, gradients: Parameters) -> tuple[Doubles, Pull]:
    """Return y and a function from y' to x' that also fills in the gradients of the layer's parameters."""
    match layer:
        case layers.Conv2d() | layers.Dense():
            return _with_parameters(layer, x, parameters, gradients)
        case layers.Norm():
            return normalise(layer, x, parameters, gradients)
        case layers.Residual():
            return residual(layer, x, parameters, gradients)
    return _without_parameters(layer, x)


def _without_parameters(layer: layers.Layer, x: Doubles) -> tuple[Doubles, Pull]:
    match layer:
        case layers.MaxPool2d():
            return max_pool(x, layer.size)
        case layers.AvgPool2d():
            return average_pool(x, layer.size)
        case layers.GlobalAvgPool():
            return global_average(x)
        case layers.Flatten():
            return x.reshape(len(x), -1), lambda dy: dy.reshape(x.shape)
    return _activation(layer, x)


def _activation(layer: layers.Layer, x: Doubles) -> tuple[Doubles, Pull]:
    gate, y, slope = 1 / (1 + np.exp(-x)), x, np.ones_like(x)  # Dropout is off
    match layer:
        case layers.Relu():
            y, slope = np.maximum(x, 0), (x > 0).astype(float)
        case layers.Gelu():
            y, slope = x * _phi(x), _phi(x) + x * _density(x)
        case layers.Tanh():
            y, slope = np.tanh(x), 1 / np.cosh(x) ** 2
        case layers.Sigmoid():
            y, slope = gate, gate * (1 - gate)
        case layers.Silu():
            y, slope = x * gate, gate + x * gate * (1 - gate)
        case layers.LeakyRelu():
            slope = np.where(x > 0, 1, layer.slope)
            y = slope * x
        case layers.Softplus():
            y, slope = np.log1p(np.exp(x)), gate
    return y, lambda dy: dy * slope


def _with_parameters(
    layer: layers.Conv2d | layers.Dense, x: Doubles, parameters: Parameters, gradients: Parameters
) -> tuple[Doubles, Pull]:
    weights = f"{layer.name}.{'filter' if isinstance(layer, layers.Conv2d) else 'weights'}"
    w = parameters[weights]
    bias = parameters.get(f"{layer.name}.bias", np.zeros(len(w)))
    y, back = conv2d(x, layer, w, bias) if isinstance(layer, layers.Conv2d) else dense(x, w, bias)

    def pull(dy: Doubles) -> Doubles:
        dx, gradients[weights], slopes = back(dy)
        if f"{layer.name}.bias" in parameters:
            gradients[f"{layer.name}.bias"] = slopes
        return dx

    return y, pull
