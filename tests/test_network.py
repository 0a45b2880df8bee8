"""A trained network: raw images in, logits and classes out; everything else is refused."""

import math
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import engine
from engine import checkpoint as checkpoints
from engine.checkpoint import DataState, RunState
from engine.compute.predictor import CHUNK
from engine.data import Dataset, Normalisation, Split
from engine.data.reading import Manner
from engine.errors import CheckpointError, DataError, ModelError
from engine.network import Network, probabilities_of
from tests.support import reference
from tests.support.checkpoints import change_metadata
from tests.support.repository import ROOT

MODEL = engine.Model((engine.Conv2d(4), engine.MaxPool2d(), engine.Flatten(), engine.Dense(3)), shape=(6, 5, 1))
CLASSES = ("a", "b", "c")
COLOUR = engine.Model((engine.Flatten(), engine.Dense(3)), shape=(6, 5, 3))


def network(model: engine.Model = MODEL) -> Network:
    parameters = model.layout().zeros()
    model.layout().initialise(parameters, seed=4)
    channels = model.shape[2]
    return Network(model, parameters, Normalisation((100.0,) * channels, (50.0,) * channels), CLASSES)


def pictures(n: int, *shape: int) -> Any:
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
def test_logits_are_those_of_the_reference(n: int) -> None:
    net, images = network(), pictures(n, 6, 5)
    public = {name: array.astype(float) for name, array in net.model.layout().public(net.parameters)}
    wanted, _ = reference.forward(MODEL, public, (images[..., None] - 100.0) / 50.0)
    np.testing.assert_allclose(net.logits(images), wanted, rtol=1e-4, atol=1e-4)
    assert net.logits(images).dtype == np.float32
    assert np.array_equal(net.predict(images), wanted.argmax(1))


def test_a_network_of_classes_has_no_values() -> None:
    with pytest.raises(DataError, match="was trained to predict classes, not values"):
        network().restored(np.zeros((1, 3), np.float32))
    part = Split(pictures(3, 6, 5)[..., None], np.arange(3, dtype=np.float32)[:, None])
    with pytest.raises(ModelError, match="was trained to predict classes, but the data has values"):
        network().check_fits(Dataset("d", (), part, part))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.zeros(2), r"the model takes rows of features, numbers \[N, 2\], got float64 \[2\]"),
        (np.zeros((3, 4), np.int32), r"got int32 \[3, 4\]"),
        (np.array([["1", "2"]]), r"got <U1 \[1, 2\]"),
        (np.array([[1, 2], [3, np.nan]]), "feature height of row 1 is nan: all must be finite"),
        (np.array([[1e39, 2]]), r"feature age of row 0 is 1e\+39: all must be finite, below 3.4e38"),
    ],
)
def test_rows_that_a_network_cannot_be_asked_about(rows: Any, said: str) -> None:
    model = engine.Model((engine.Dense(3),), shape=(2,))
    scale = Normalisation((0.0, 0.0), (1.0, 1.0))
    net = Network(model, model.layout().zeros(), scale, CLASSES, columns=("age", "height"))
    with pytest.raises(DataError, match=said):
        net.logits(rows)


def test_probabilities_are_the_softmax_unless_trained_on_squared_error() -> None:
    logits = np.array([[0.0, 1.0, 2.0], [-1000.0, 0.5, 1000.0]], np.float32)
    powers = [1.0, math.e, math.e**2]
    expected = np.array([[power / sum(powers) for power in powers], [0, 0, 1]])
    np.testing.assert_allclose(probabilities_of(logits, "softmax_cross_entropy"), expected, rtol=1e-12)
    assert probabilities_of(logits, "mean_squared_error").tolist() == [[0, 1, 1], [0, 0.5, 1]]


def test_probabilities_are_those_of_the_classes_or_of_as_many_outputs_as_are_asked_for() -> None:
    net, images = replace(network(), classes=("a", "b")), pictures(5, 6, 5)
    logits = net.logits(images).astype(float)
    for found, count in ((net.probabilities(images), 2), (net.probabilities(images, 3), 3)):
        assert found.dtype == np.float64
        powers = np.exp(logits[:, :count])
        np.testing.assert_allclose(found, powers / powers.sum(1, keepdims=True), rtol=1e-12)


def test_an_image_is_answered_alike_whatever_comes_with_it() -> None:
    net, images = network(), pictures(40, 6, 5)
    assert np.array_equal(net.logits(images)[17:18], net.logits(images[17:18]))


def test_a_channel_axis_may_be_left_out_only_where_there_is_one_channel() -> None:
    images = pictures(2, 6, 5)
    assert np.array_equal(network().logits(images), network().logits(images[..., None]))
    colour = network(COLOUR)
    assert colour.logits(pictures(2, 6, 5, 3)).shape == (2, 3)
    with pytest.raises(DataError, match=r"takes images \[N, H, W, C\] of 6x5x3, got an array of shape"):
        colour.logits(images)


def test_no_image_has_no_answer() -> None:
    assert network().logits(np.empty((0, 6, 5), np.uint8)).shape == (0, 3)


@pytest.mark.parametrize("images", [np.zeros((1, 6, 5)), np.zeros((1, 6, 5), np.int64), [[[0.0] * 5] * 6]])
def test_only_bytes_are_images(images: Any) -> None:
    with pytest.raises(DataError, match="images must be uint8, as in a data set, got"):
        network().logits(images)


@pytest.mark.parametrize("shape", [(6, 5), (1, 5, 6), (1, 6, 5, 3), (1, 1, 6, 5, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="6x5x1, got an array of shape"):
        network().logits(np.zeros(shape, np.uint8))


def test_evaluate_counts_and_averages() -> None:
    net, n = network(), 2 * CHUNK + 5
    images, labels = pictures(n, 6, 5, 1), (np.arange(n) % 3).astype(np.int32)
    split = engine.Split(images, labels)
    seen = net.evaluate(engine.Dataset("some", ("a", "b", "c"), split, split))
    z = net.logits(images).astype(float)
    losses = np.log(np.exp(z).sum(1)) - z[np.arange(n), labels]
    assert (seen.total, seen.correct) == (n, int((z.argmax(1) == labels).sum()))
    assert seen.loss == pytest.approx(losses.mean(), rel=1e-5)
    assert seen.percent == pytest.approx(100 * seen.correct / n)
    with pytest.raises(ModelError, match="has 3 outputs, the data 4 classes"):
        net.evaluate(engine.Dataset("some", ("a", "b", "c", "d"), split, split))
    arrays: Any = (images, labels)
    with pytest.raises(DataError, match=r"takes a data set, as .* returns it, got tuple"):
        net.evaluate(arrays)


def saved(folder: Path, net: Network, **changes: Any) -> Path:
    """Save a checkpoint of a network, with other metadata."""
    run = RunState(
        "x", model=MODEL.describe(), normalisation=asdict(net.normalisation), data=DataState(classes=CLASSES)
    )
    tensors = dict(net.model.layout().public(net.parameters))
    path = checkpoints.save(folder, checkpoints.Checkpoint(7, tensors, {}, run))
    change_metadata(path, **changes)
    return path


def test_a_network_comes_back_from_its_checkpoint(tmp_path: Path) -> None:
    net = network()
    path = saved(tmp_path, net)
    for place in (path, tmp_path, str(tmp_path)):
        again = engine.load_network(place)
        assert (again.model, again.classes, again.normalisation) == (net.model, net.classes, net.normalisation)
        assert np.array_equal(again.parameters, net.parameters)
    assert engine.load is engine.load_network, "the name of earlier versions"


def test_it_needs_nothing_of_the_coordinator() -> None:
    program = "import sys, engine.network; print([name for name in sys.modules if name.startswith('engine.coord')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": None},
        {"model": {"layers": [{"type": "Nonsense"}]}},
        {"model": COLOUR.describe()},
        {"normalisation": {}},
        {"normalisation": None},
        {"normalisation": {"mean": [1.0, 2.0], "deviation": [1.0, 2.0]}},
        {"normalisation": {"mean": [1.0], "deviation": [1.0, 2.0]}},
        {"normalisation": {"mean": [1.0], "deviation": [0.0]}},
        {"normalisation": {"mean": [float("nan")], "deviation": [1.0]}},
        {"normalisation": {"mean": ["a"], "deviation": ["b"]}},
        {"data": {"classes": []}},
        {"data": {"classes": ["a", None, "c"]}},
        {"data": {"classes": ["a", "b", "c", "d"]}},
        {"data": {}},
        {"data": {"classes": 3}},
    ],
)
def test_a_checkpoint_without_a_network_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    saved(tmp_path, network(), **changes)
    with pytest.raises(CheckpointError, match=r"does not hold a network of this version|classes of the wrong type"):
        engine.load(tmp_path)


def test_a_picture_may_be_a_path_bytes_or_a_pillow_image(tmp_path: Path) -> None:
    net, images = network(), pictures(3, 6, 5)
    paths = []
    for number, pixels in enumerate(images):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    wanted = net.logits(images)
    assert np.array_equal(net.logits(paths), wanted)
    assert np.array_equal(net.logits([path.read_bytes() for path in paths]), wanted)
    with Image.open(paths[1]) as image:
        assert np.array_equal(net.logits([str(paths[0]), image, paths[2].read_bytes()]), wanted)
        for one in (image, paths[1], str(paths[1]), paths[1].read_bytes()):
            assert np.array_equal(net.logits(one), wanted[1:2])
    with pytest.raises(DataError, match="the picture is not in a known picture format"):
        net.logits(b"nothing")
    with pytest.raises(DataError, match=r"the picture is 3x2x1; the network takes images of 6x5x1"):
        net.logits(Image.new("L", (2, 3)))
    with pytest.raises(DataError, match=r"no\.png does not exist"):
        net.predict("no.png")


def test_pictures_are_seen_as_in_training() -> None:
    net = replace(network(), manner=Manner((200,), scaled=True))
    clear = Image.new("LA", (12, 10), (0, 0))
    assert np.array_equal(net.logits(clear), net.logits(np.full((1, 6, 5), 200, np.uint8)))


def test_what_is_predicted_is_always_a_class() -> None:
    net = network()
    fewer = replace(net, classes=net.classes[:1])
    assert set(fewer.predict(pictures(9, 6, 5)).tolist()) == {0}
    assert set(fewer.labels(pictures(9, 6, 5))) == {net.classes[0]}


def test_rows_of_objects_are_taken_as_training_takes_them() -> None:
    model = engine.Model((engine.Dense(3),), shape=(2,))
    net = Network(model, model.layout().zeros() + 1, Normalisation((0.0, 0.0), (1.0, 1.0)), ("a", "b", "c"))
    rows = np.array([[1.5, True], [2, 0.5]], object)
    assert np.array_equal(net.logits(rows), net.logits(np.array([[1.5, 1], [2, 0.5]])))
    with pytest.raises(DataError, match="row 1, column 0 is 'x', not a number"):
        net.logits(np.array([[1.5, True], ["x", 0.5]], object))
    with pytest.raises(DataError, match=r"numbers \[N, 2\], got object"):
        net.logits(np.array([[1, 2, "x"]], object))
