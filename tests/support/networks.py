"""Networks with random parameters, as if trained."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data import Normalisation
from engine.network import Network
from engine.nn.layers import (
    REGISTRY,
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Elementwise,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    LeakyRelu,
    MaxPool2d,
    Relu,
    Residual,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)
from engine.nn.model import Model


@dataclass(frozen=True)
class Twice(Elementwise):
    """A layer of a person's own; no operation can do it."""

    prefix = "twice"


del REGISTRY[Twice.__name__]  # other tests count what is there


def network(model: Model, seed: int = 0, **changes: Any) -> Network:
    """Return `model` with random parameters, normalised for bytes or for numbers from 1 to 10, naming classes."""
    rng = np.random.default_rng(seed)
    parameters = model.layout().zeros()
    model.layout().initialise(parameters, seed)
    parameters += 0.01 * rng.standard_normal(len(parameters), np.float32)  # not all biases are 0, nor scales 1
    size = model.shape[-1]
    mean, deviation = (rng.uniform(*ends, size) for ends in ((1.0, 10.0), (1.0, 3.0)))
    if len(model.shape) == 3:
        mean, deviation = mean * 10, deviation * 30
    normalisation = Normalisation(tuple(mean.tolist()), tuple(deviation.tolist()))
    classes = tuple(f"class {number}" for number in range(model.classes))
    return replace(Network(model, parameters, normalisation, classes), **changes)


def samples(model: Model, count: int, seed: int = 0) -> NDArray[Any]:
    """Return random images or features."""
    rng = np.random.default_rng(seed)
    if len(model.shape) == 3:
        return rng.integers(0, 256, (count, *model.shape), np.uint8)
    return (rng.standard_normal((count, *model.shape)) * 3 + 5).astype(np.float32)


# All built-in layers but those of BUILT_IN models, with windows that do not fit evenly.
EVERY_LAYER = Model(
    (
        Conv2d(6, (2, 3), (2, 1), "same"),
        LeakyRelu(0.2),
        AvgPool2d(2),
        Softplus(),
        MaxPool2d(3),
        Silu(),
        LayerNorm(),
        Residual(
            (Conv2d(6, 2, padding="same"), Residual((Tanh(),)), GroupNorm(3)),
            (Residual((Sigmoid(),), (Gelu(), Residual(Relu()))),),
        ),
        AvgPool2d(5),
        GlobalAvgPool(),
        LayerNorm(epsilon=0.1),
        Dense(5, name="forward"),
    ),
    (13, 11, 2),
)

_pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
_image_layers = st.lists(
    st.one_of(
        st.builds(Conv2d, st.sampled_from([2, 4, 6]), st.integers(1, 4), st.integers(1, 3), st.just("same")),
        st.builds(Conv2d, st.sampled_from([2, 4]), _pairs, _pairs, st.just("same"), st.booleans()),
        st.builds(MaxPool2d, st.integers(1, 4)),
        st.builds(AvgPool2d, st.integers(1, 4)),
        st.sampled_from([Relu(), Gelu(), LeakyRelu(0.3), Sigmoid(), Silu(), Softplus(), Tanh(), Dropout(0.4)]),
        st.sampled_from([LayerNorm(epsilon=0.1), GroupNorm(2, epsilon=0.1)]),
        st.sampled_from(
            [Residual((Relu(), GroupNorm(2, epsilon=0.1))), Residual((AvgPool2d(),), (Residual(Tanh()), MaxPool2d()))]
        ),
    ),
    max_size=6,
)
# Networks of any built-in layers on images whose channels can always be cut into two groups. With the usual epsilon a
# group whose values are all the same, or that has one value, is the rounding of their mean, 300 times as large.
random_models = st.builds(
    lambda shape, layers, end: Model((*layers, *end, Dense(4)), shape),
    st.tuples(st.integers(1, 13), st.integers(1, 13), st.sampled_from([2, 4])),
    _image_layers,
    st.sampled_from(
        [(Flatten(),), (GlobalAvgPool(), LayerNorm(epsilon=0.1)), (Flatten(), Dense(6), GroupNorm(3, epsilon=0.1))]
    ),
)
