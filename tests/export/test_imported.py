"""Imported networks: what export wrote comes back to the bit, what others wrote by name and shape, or not at all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from safetensors.numpy import save_file

from engine.data import Normalisation
from engine.errors import CheckpointError, GradsumError, ModelError, SettingsError, UsageError
from engine.export.imported import ImportOptions, import_file
from engine.export.torch_names import torch_name
from engine.network import Network, network_from
from engine.nn.built_in import letters, mlp
from engine.nn.layers import Conv2d, Dense, Flatten, Relu
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model
from tests.support.networks import EVERY_LAYER, network, random_models, samples

FILE = Path("net.safetensors")
TOML = """
shape = [4, 4, 2]
[[layers]]
type = "Conv2d"
filters = 3
kernel = 2
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
features = 5
"""


def imported(**asked: Any) -> Network:
    return network_from(import_file(FILE, ImportOptions(**asked)), FILE)


def arrays(**changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return what suits TOML, by PyTorch's names, with changes; None leaves one out."""
    rng = np.random.default_rng(0)
    shapes = {"c1.weight": (3, 2, 2, 2), "c1.bias": (3,), "fc1.weight": (5, 27), "fc1.bias": (5,)}
    whole = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return {name: array for name, array in (whole | changes).items() if array is not None}


@pytest.fixture
def toml() -> str:
    Path("net.toml").write_text(TOML)
    return "net.toml"


def check_back(net: Network) -> None:
    for save in (net.save_safetensors, net.save_torch):
        save(FILE)
        back = imported()
        assert back.parameters.tobytes() == net.parameters.tobytes()
        assert (back.model, back.normalisation, back.classes, back.values, back.columns, back.targets) == (
            (net.model, net.normalisation, net.classes, net.values, net.columns, net.targets)
        )


@pytest.mark.parametrize("model", [letters(), EVERY_LAYER])
def test_what_was_exported_comes_back_to_the_bit(model: Model) -> None:
    check_back(network(model))


def test_values_and_names_come_back() -> None:
    scale = Normalisation((1e6, -3.0), (1e3, 0.5))
    model = Model((Dense(2),), (3,), SQUARED_ERROR)
    check_back(network(model, classes=(), values=scale, columns=("a", "b", "ü"), targets=("x", "y")))


def test_a_file_that_says_its_shape_has_no_other() -> None:
    network(EVERY_LAYER).save_safetensors(FILE)
    assert imported(shape=EVERY_LAYER.shape).model == EVERY_LAYER
    with pytest.raises(SettingsError, match="--shape 3: the model says "):
        imported(shape=(3,))


def test_only_classes_that_are_given_have_to_be_all() -> None:
    network(EVERY_LAYER, classes=("a",)).save_safetensors(FILE)
    assert imported().classes == ("a",)


@settings(max_examples=25)
@given(random_models)
def test_random_networks_come_back(model: Model) -> None:
    check_back(network(model))


def test_a_network_of_others_is_as_in_pytorch(toml: str) -> None:
    save_file(arrays(), FILE)
    net = imported(model=toml)
    assert net.classes == ("0", "1", "2", "3", "4")
    assert net.normalisation == Normalisation((0.0, 0.0), (255.0, 255.0))
    named = dict(net.model.layout().public(net.parameters))
    for name, array in named.items():
        assert np.array_equal(array, arrays()[torch_name(name)])


def test_pixels_are_normalised_as_asked(toml: str) -> None:
    save_file(arrays(), FILE)
    net = imported(model=toml, mean=(0.5,), deviation=(0.25, 0.5), classes=tuple("abcde"))
    assert net.normalisation == Normalisation((127.5, 127.5), (63.75, 127.5))
    assert net.classes == tuple("abcde")


def test_torch_answers_as_the_imported_network_does() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(27, 5))
    save_file({name: array.numpy() for name, array in theirs.state_dict().items()}, FILE)
    model = Model((Conv2d(3, 2, name="_0"), Relu(), Flatten(), Dense(5, name="_3")), (4, 4, 2))
    Path("net.toml").write_text(tomli_w.dumps(model.describe()))
    images = samples(model, 8)
    with torch.no_grad():
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        wanted = theirs(pixels).numpy()
    np.testing.assert_allclose(imported(model="net.toml").logits(images), wanted, rtol=1e-5, atol=1e-5)


def test_nested_modules_are_layers_with_words_for_names() -> None:
    names = ("features.0", "1.head")
    shapes: dict[str, tuple[int, ...]] = {"weight": (2, 2), "bias": (2,)}
    save_file({f"{name}.{a}": np.ones(s, np.float32) for name in names for a, s in shapes.items()}, FILE)
    text = "\n".join(f'[[layers]]\ntype = "Dense"\nfeatures = 2\nname = "{name}"' for name in ("features_0", "_1_head"))
    Path("net.toml").write_text(text)
    assert imported(model="net.toml", shape=(2,)).normalisation == Normalisation((0.0, 0.0), (1.0, 1.0))


def test_values_are_as_they_are_where_nothing_is_said() -> None:
    save_file({"fc1.weight": np.eye(2, dtype=np.float64), "fc1.bias": np.zeros(2, np.float16)}, FILE)
    Path("net.toml").write_text('loss = "mean_squared_error"\n[[layers]]\ntype = "Dense"\nfeatures = 2')
    net = imported(model="net.toml", shape=(2,))
    assert net.predict(np.array([[1.5, 2.5]])).tolist() == [[1.5, 2.5]]
    assert imported(model="net.toml", shape=(2,), classes=("a", "b")).labels(np.array([[1.5, 2.5]])) == ["b"]


def test_all_that_does_not_fit_is_listed(toml: str) -> None:
    changes = {
        "c1.weight": np.zeros((3, 2, 3, 3), np.float32),
        "c1.bias": np.zeros(3, np.int32),
        "fc1.weight": np.full((5, 27), np.nan, np.float32),
        "fc1.bias": None,
        "bn1.running_mean": np.zeros(3, np.float32),
    }
    save_file(arrays(**changes), FILE)
    with pytest.raises(CheckpointError) as error:
        imported(model=toml)
    assert str(error.value) == (
        "net.safetensors does not fit the model: missing: fc1.bias (5,); of another shape: c1.weight (3, 2, 3, 3) "
        "instead of (3, 2, 2, 2); of a type that is not read: c1.bias (I32); not finite: fc1.weight; "
        "not in the model: bn1.running_mean"
    )


def test_long_lists_are_cut() -> None:
    save_file({f"x{number:02}": np.zeros(1, np.float32) for number in range(10)}, FILE)
    with pytest.raises(CheckpointError, match=r"x06, x07 and 2 more$"):
        imported(model="mlp")


DEVIATION = r"--deviation must be at most 3\.4e\+38 and at least 1\.18e-38, the range of float32"
MEAN = r"--mean must be at most 3\.4e\+38, the range of float32, got"


@pytest.mark.parametrize(("asked", "error", "said"), [
    ({}, UsageError, "does not say of which model: also give --model"),
    ({"model": "none.toml"}, ModelError, "no model or file 'none.toml'"),
    ({"model": "net.toml", "classes": tuple("abcdef")}, SettingsError, "6 classes are named, but the model"),
    ({"model": "net.toml", "classes": tuple("abcd")}, SettingsError, "has 5 outputs: name all of them"),
    ({"model": "net.toml", "classes": ("a",)}, SettingsError, "1 class is named, but the model has 5 outputs"),
    ({"model": "net.toml", "shape": (3,)}, SettingsError, "--shape 3: the model says 4 4 2; leave --shape out"),
    ({"model": "net.toml", "mean": (0.0, 0.0, 0.0)}, SettingsError, "--mean must be one number, or 2 with commas"),
    ({"model": "net.toml", "mean": (33.0,)}, SettingsError, "--mean is that of pixels from 0 to 1, got 33"),
    ({"model": "net.toml", "deviation": (0.0,)}, SettingsError, DEVIATION),
    ({"model": "net.toml", "deviation": (1e-320,)}, SettingsError, DEVIATION),
    ({"model": "net.toml", "mean": (float("nan"),)}, SettingsError, MEAN),
    ({"model": "net.toml", "mean": (-1e39,)}, SettingsError, MEAN),
])  # fmt: skip
def test_what_cannot_be_is_said(toml: str, asked: dict[str, Any], error: type[GradsumError], said: str) -> None:
    save_file(arrays(), FILE)
    with pytest.raises(error, match=said):
        imported(**asked)


@pytest.mark.parametrize(("name", "text"), [
    ("shape", "5"), ("model", "["), ("classes", '{"a": 1}'), ("normalisation", "[1]"), ("values", "7"),
])  # fmt: skip
def test_damaged_metadata_is_an_error(name: str, text: str) -> None:
    said = {"producer": "gradsum 1", "model": json.dumps(mlp((4, 4, 2), 5).describe()), name: text}
    save_file(arrays(), FILE, said)
    with pytest.raises(CheckpointError, match=f"is damaged: its metadata has {name}"):
        imported()
