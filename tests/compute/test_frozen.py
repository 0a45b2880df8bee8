"""Layers that are not trained: no gradient for them, the same for all others, and none computed in vain."""

import numpy as np
import pytest

from engine.compute.program import compile_model
from engine.errors import SettingsError
from engine.kernels import Backend
from engine.nn.built_in import lenet, letters, mlp, resnet8
from engine.nn.frozen import frozen_layers, trained_parts
from engine.nn.model import Model
from engine.nn.parameters import Vector
from tests.support.backends import each_backend, normal

MODELS = [
    letters((22, 22, 1), 3),
    letters((23, 22, 8), 3),
    mlp((6, 5, 2), 3),
    lenet((12, 12, 2), 3),
    resnet8((8, 8, 3), 3),
]
NAMES = ["letters", "colour", "mlp", "lenet", "resnet8"]


def gradient(model: Model, kernels: Backend, frozen: tuple[str, ...]) -> tuple[float, Vector]:
    """Return loss and gradient of a micro-batch of 3, in a vector that was in use before."""
    program = compile_model(model, 3, kernels, frozen=frozen)
    vector, out = program.layout.zeros(), program.layout.zeros()
    vector[:] = normal(vector.size) / 8
    out.fill(np.nan)
    program.prepare(vector)
    images, labels = normal(3, *model.shape, seed=1), np.array([0, 2, 1], np.int32)
    for _ in range(2):
        loss, _ = program.gradient(images, labels, (), out)
    return loss, out


@each_backend
@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_the_others_have_the_gradients_they_had(kernels: Backend, model: Model) -> None:
    layout = model.layout()
    layers = frozen_layers("*1,*2", layout)
    for frozen in [layers, *((layer,) for layer in layers), layers[:1]]:
        loss, whole = gradient(model, kernels, ())
        found_loss, found = gradient(model, kernels, frozen)
        assert found_loss == loss
        trained = np.zeros(layout.size, bool)
        for part in trained_parts(layout, frozen):
            trained[part] = True
        assert found[trained].tobytes() == whole[trained].tobytes()
        assert (found[~trained] == 0).all()
        assert 0 < trained.sum() < layout.size


def test_nothing_is_computed_before_the_first_layer_that_is_trained() -> None:
    model = letters((22, 22, 1), 3)
    whole, some, last = (
        sum(info.flops_backward for info in compile_model(model, 2, frozen=frozen).operations())
        for frozen in ((), ("c1", "c2"), ("c1", "c2", "c3", "fc1", "fc2"))
    )
    assert last < some < whole


def test_layers_by_name() -> None:
    layout = letters().layout()
    assert frozen_layers(None, layout) == ()
    assert frozen_layers("c*", layout) == ("c1", "c2", "c3")
    assert frozen_layers(" fc1 , c[12]", layout) == ("c1", "c2", "fc1")
    assert trained_parts(layout, ("c1", "c2", "c3", "fc2")) == [
        slice(layout.slices["fc1.weights"].start, layout.slices["fc1.bias"].stop),
        slice(layout.slices["fc3.weights"].start, layout.size),
    ]
    assert trained_parts(layout, ()) == [slice(0, layout.size)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no layer with parameters is called ''; there are c1, c2, c3, fc1, fc2, fc3"),
        ("c1,cf1", "no layer with parameters is called 'cf1'; did you mean"),
        ("pool1", "no layer with parameters is called 'pool1'"),
        ("*", r"freeze '\*': no layer is left to train"),
    ],
)
def test_layers_that_cannot_be_frozen(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        frozen_layers(text, letters().layout())
