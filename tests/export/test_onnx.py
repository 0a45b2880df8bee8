"""ONNX files: onnxruntime answers as we do, for every built-in model and layer and for random networks."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from engine.data import Normalisation
from engine.errors import GradsumError, ModelError, StorageError
from engine.network import Network
from engine.nn.built_in import lenet, letters, mlp, resnet8, vgg7
from engine.nn.layers import REGISTRY, Conv2d, Dense, Dropout, Flatten
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model
from tests.support.networks import EVERY_LAYER, Twice, network, random_models, samples

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

BUILT_IN = {
    "letters": letters(),
    "mlp": mlp(),
    "lenet": lenet(),
    "resnet8": resnet8((13, 16, 3)),
    "vgg7": vgg7((13, 16, 3)),
    "features": mlp((7,), 3),
    "every layer": EVERY_LAYER,
}


def answers(path: Path, inputs: Any) -> dict[str, Any]:
    """Return what onnxruntime says, by the names of the outputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: inputs}), strict=True))


def check_alike(net: Network, count: int = 24) -> dict[str, Any]:
    inputs = samples(net.model, count)
    done = net.save_onnx("net.onnx")
    onnx.checker.check_model("net.onnx", full_check=True)
    theirs, ours = answers(Path("net.onnx"), inputs), net.logits(inputs)
    scale = np.abs(ours).max()
    np.testing.assert_allclose(theirs["logits"], ours, rtol=0, atol=1e-4 * scale)
    assert done.files == (Path("net.onnx"),)
    assert done.difference is not None
    assert done.difference <= 1e-4 * (done.scale or 0)
    return theirs


def test_every_layer_is_in_one_of_the_networks() -> None:
    there = {type(layer).__name__ for model in BUILT_IN.values() for layer in model.every_layer()}
    built_in = {name for name, kind in REGISTRY.items() if kind.__module__.startswith("engine.")}
    assert there | {"Dropout"} >= built_in


@pytest.mark.parametrize("name", BUILT_IN)
def test_logits_and_probabilities_are_ours(name: str) -> None:
    net = network(BUILT_IN[name])
    theirs = check_alike(net)
    np.testing.assert_allclose(theirs["probabilities"], net.probabilities(samples(net.model, 24)), atol=1e-5)


def test_fewer_classes_than_outputs_and_squared_error() -> None:
    model = Model((Flatten(), Dropout(), Dense(4)), (3, 2, 1), SQUARED_ERROR)
    net = network(model, classes=("a", "b", "c"))
    theirs = check_alike(net)
    assert theirs["probabilities"].shape == (24, 3)
    np.testing.assert_allclose(theirs["probabilities"], net.probabilities(samples(model, 24)), atol=1e-6)


def test_values_come_in_their_own_units() -> None:
    model = Model((Dense(2),), (3,), SQUARED_ERROR)
    net = network(model, classes=(), values=Normalisation((1e6, -3.0), (1e3, 0.5)), targets=("price", "age"))
    theirs = check_alike(net)
    assert theirs["values"].dtype == np.float64
    np.testing.assert_allclose(theirs["values"], net.predict(samples(model, 24)), rtol=1e-6)


def test_the_metadata_says_what_the_network_is() -> None:
    net = network(mlp((8, 8, 1), 3), classes=("ä", '"', "c"))
    net.save_onnx("net.onnx")
    file = onnx.load("net.onnx")
    said = {entry.key: entry.value for entry in file.metadata_props}
    assert file.producer_name == "gradsum"
    assert json.loads(said["classes"]) == ["ä", '"', "c"]
    assert json.loads(said["shape"]) == [8, 8, 1]
    assert json.loads(said["normalisation"]) == {name: list(x) for name, x in asdict(net.normalisation).items()}
    assert said["params_sha256"] == net.model.layout().sha256(net.parameters)
    assert file.graph.input[0].name == "images"


def test_a_layer_of_ones_own_is_refused_by_name() -> None:
    net = network(Model((Flatten(), Twice(), Dense(2)), (2, 2, 1)))
    with pytest.raises(ModelError, match="layer twice1: Twice is a layer of your own"):
        net.save_onnx("net.onnx")
    assert not Path("net.onnx").exists()


def test_a_file_that_cannot_be_written_is_said() -> None:
    with pytest.raises(StorageError, match=r"nowhere/net.onnx cannot be written: No such file"):
        network(mlp((3,), 2)).save_onnx("nowhere/net.onnx")


def test_nothing_is_written_if_logits_differ() -> None:
    net = network(mlp((3,), 2))
    broken = replace(net, parameters=np.full_like(net.parameters, np.nan))
    with pytest.raises(GradsumError, match="logits differ by up to nan from ours"):
        broken.save_onnx("net.onnx")
    assert not Path("net.onnx").exists()


@pytest.mark.check
@pytest.mark.computes
@settings(max_examples=200)
@given(random_models)
def test_random_networks(model: Model) -> None:
    check_alike(network(model), 8)


def test_convolutions_that_are_padded_unevenly() -> None:
    layers = (Conv2d(3, (2, 4), (3, 1), "same"), Conv2d(2, (3, 2), padding=(2, 1), bias=False), Flatten(), Dense(2))
    check_alike(network(Model(layers, (7, 6, 2))))
