"""PyTorch modules and safetensors: what torch answers, and what any reader of safetensors finds."""

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from safetensors import safe_open
from safetensors.numpy import load_file

from engine.data import Normalisation
from engine.errors import ModelError, StorageError, UsageError
from engine.export.torch_names import torch_layer, torch_name
from engine.network import Network
from engine.nn.built_in import lenet, letters, mlp, resnet8, vgg7
from engine.nn.layers import Dense, Flatten
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model
from tests.support.networks import EVERY_LAYER, Twice, network, random_models, samples

BUILT_IN = (letters(), mlp(), lenet(), resnet8((13, 16, 3)), vgg7((13, 16, 3)), mlp((7,), 3), EVERY_LAYER)


def module(path: Path) -> Any:
    """Return the module in a file."""
    spec = importlib.util.spec_from_file_location("exported", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def check_alike(net: Network) -> None:
    net.save_torch("net.py")
    ast.parse(Path("net.py").read_text())
    torch = pytest.importorskip("torch")  # too large for what every test run installs
    inputs = samples(net.model, 8)
    theirs = module(Path("net.py")).load()
    ours = net.logits(inputs)
    with torch.no_grad():
        found = theirs(torch.from_numpy(inputs)).numpy()
        asked = theirs.probabilities if net.values is None else theirs.values
        told = asked(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(found, ours, rtol=0, atol=1e-4 * np.abs(ours).max())
    wanted = net.probabilities(inputs) if net.values is None else net.predict(inputs)
    np.testing.assert_allclose(told, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", BUILT_IN)
def test_torch_answers_as_we_do(model: Model) -> None:
    check_alike(network(model))


def test_torch_says_fewer_classes_and_values_as_we_do() -> None:
    check_alike(network(Model((Flatten(), Dense(4)), (3, 2, 1)), classes=("a", "b")))
    check_alike(network(Model((Flatten(), Dense(4)), (3, 2, 1), SQUARED_ERROR)))
    scale = Normalisation((1e6, -3.0), (1e3, 0.5))
    check_alike(network(Model((Dense(2),), (3,), SQUARED_ERROR), classes=(), values=scale))


@pytest.mark.check
@pytest.mark.computes
@settings(max_examples=200)
@given(random_models)
def test_torch_answers_as_we_do_for_random_networks(model: Model) -> None:
    check_alike(network(model))


def test_parameters_have_the_names_of_torch_and_the_same_bits() -> None:
    net = network(EVERY_LAYER)
    done = net.save_torch("net.safetensors")
    assert done.files == (Path("net.py"), Path("net.safetensors"))
    found = load_file("net.safetensors")
    assert {"c1.weight", "c1.bias", "ln1.weight", "layer_forward.weight"} <= found.keys()
    for name, array in net.model.layout().public(net.parameters):
        assert found[torch_name(name)].tobytes() == np.ascontiguousarray(array).tobytes()
    text = Path("net.py").read_text()
    assert "gradsum" not in [
        alias.name for x in ast.walk(ast.parse(text)) if isinstance(x, ast.Import) for alias in x.names
    ]
    assert f'PARAMS_SHA256 = "{net.model.layout().sha256(net.parameters)}"' in text


def test_safetensors_hold_our_names_and_what_the_network_is() -> None:
    net = network(Model((Flatten(), Dense(2)), (2, 2, 1)), classes=("$a", "'''"))
    net.save_safetensors("net.safetensors")
    with safe_open("net.safetensors", framework="numpy") as file:
        said = file.metadata()
        assert sorted(file.keys()) == ["fc1.bias", "fc1.weights"]
    assert json.loads(said["classes"]) == ["$a", "'''"]
    assert said["params_sha256"] == net.model.layout().sha256(net.parameters)


def test_a_name_of_a_class_cannot_become_program() -> None:
    names = ('"""', "${x}\n$sha", "\\")
    network(Model((Flatten(), Dense(3)), (2, 2, 1)), classes=names).save_torch("net.py")
    [said] = [x.value for x in ast.walk(ast.parse(Path("net.py").read_text())) if _is(x, "CLASSES")]  # type: ignore[attr-defined]
    assert ast.literal_eval(said) == list(names)


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name


def test_layers_whose_names_a_module_needs_itself_get_others() -> None:
    names = ["c1", "forward", "layer_forward", "class", "_x", "layer__x", "train", "layer_"]
    assert len({torch_layer(name) for name in names}) == len(names)
    assert torch_name("c1.filter") == "c1.weight"


def test_what_cannot_be_written_is_said() -> None:
    net = network(Model((Flatten(), Twice(), Dense(2)), (2, 2, 1)))
    with pytest.raises(ModelError, match="layer twice1: Twice is a layer of your own"):
        net.save_torch("net.py")
    with pytest.raises(UsageError, match=r"net.pt must end in .py or .safetensors"):
        net.save_torch("net.pt")
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        net.save_safetensors("nowhere/net.safetensors")
    net.save_safetensors("net.safetensors")
    assert [path.name for path in Path().iterdir()] == ["net.safetensors"]


def test_no_name_is_taken_that_torch_does_not_have() -> None:
    torch = pytest.importorskip("torch")
    for name in vars(torch.nn.Module):
        if not name.startswith("_"):
            assert torch_layer(name) != name
    assert all(not hasattr(torch.nn.Module(), torch_layer(name)) for name in dir(torch.nn.Module()))
