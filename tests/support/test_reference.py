"""The reference itself against central finite differences: what the programs are compared with must be right."""

import numpy as np
import pytest

from engine.nn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GroupNorm,
    Layer,
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
from engine.nn.loss_options import LOSSES
from engine.nn.model import Model
from tests.support.reference import forward, gradients, loss_of

LAYERS = (
    Conv2d(3, 3, padding=1),
    MaxPool2d(),
    Conv2d(2, 2, stride=2, padding=1),
    Gelu(),
    MaxPool2d(3),
    Flatten(),
    Dense(4),
    Relu(),
    Dropout(0.5),
    Dense(3),
)
OTHERS = (
    Conv2d(3, (2, 3), (1, 2), "same", bias=False),
    Tanh(),
    AvgPool2d(3),
    Silu(),
    Conv2d(4, 1),
    GroupNorm(2, epsilon=0.1),
    Residual(
        (Conv2d(6, 2, 2, "same", bias=False), LayerNorm(), Residual((Tanh(), Conv2d(6, 1)))), Conv2d(6, 1, stride=2)
    ),
    LeakyRelu(0.2),
    GlobalAvgPool(),
    Dense(4),
    Softplus(),
    Dense(3),
    Sigmoid(),
)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("layers", [LAYERS, OTHERS])
def test_gradients_are_the_slope_of_the_loss(layers: tuple[Layer, ...], loss: str) -> None:
    model, rng = Model(layers, (9, 7, 2), loss), np.random.default_rng(0)
    parameters = {name: rng.standard_normal(spec.shape) for name, spec in model.layout().specs.items()}
    images, labels = rng.standard_normal((3, 9, 7, 2)), rng.integers(0, 3, 3)
    value, slopes = gradients(model, parameters, images, labels)
    assert value > 0
    assert slopes.keys() == parameters.keys()
    step = 1e-6  # rounding in the loss / step is 1e-9, curvature * step^2 less
    for name, array in parameters.items():
        direction = rng.standard_normal(array.shape)
        up, down = (
            loss_of(forward(model, parameters | {name: array + sign * step * direction}, images)[0], labels, loss)[0]
            for sign in (1, -1)
        )
        assert (slopes[name] * direction).sum() == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-7)
