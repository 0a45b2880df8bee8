"""Models: the built-in ones as documented, names, descriptions, files, and refusals."""

from pathlib import Path
from typing import Any

import msgpack
import pytest

from engine.errors import ModelError
from engine.nn.built_in import BUILT_IN, lenet, letters, load_model, mlp, resnet8, vgg7
from engine.nn.layers import Conv2d, Dense, Dropout, Flatten, Gelu, GlobalAvgPool, Layer, MaxPool2d, Relu, Residual
from engine.nn.model import Model, check_fits, model_from

FILE = """
loss = "mean_squared_error"
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
name = "out"
features = 3
"""


def test_letters() -> None:
    model = letters()
    assert model.layout().size == 137_178
    shapes = [(28, 28, 1), (26, 26, 32), (13, 13, 32), (11, 11, 64), (6, 6, 64), (4, 4, 128), (2, 2, 128), (512,)]
    assert model.shapes() == [*shapes, (64,), (64,), (128,), (128,), (26,)]
    names = [f"{layer}.{part}" for layer in ("c1", "c2", "c3") for part in ("filter", "bias")]
    names += [f"{layer}.{part}" for layer in ("fc1", "fc2", "fc3") for part in ("weights", "bias")]
    assert list(model.layout().specs) == names
    assert model.classes == 26


def test_lenet_has_the_published_number_of_parameters() -> None:
    assert lenet(classes=10).layout().size == 61_706  # LeCun et al. 1998 with full connections in the second layer


def test_mlp() -> None:
    assert mlp((2, 3, 1), 4).layout().size == 6 * 128 + 128 + 128 * 64 + 64 + 64 * 4 + 4


def test_names_are_given_and_kept() -> None:
    layers = (Flatten(), Dense(2), Dense(3, name="fc1"), Relu(), Dense(4), Relu(name="last"))
    names = [layer.name for layer in Model(layers).layers]
    assert names == ["flatten1", "fc2", "fc1", "relu1", "fc3", "last"]


def test_dropout_goes_before_activations_between_dense_layers() -> None:
    names = [layer.name for layer in letters().with_dropout(0.3).layers]
    assert names[7:] == ["fc1", "dropout1", "gelu1", "fc2", "dropout2", "gelu2", "fc3"]
    again = letters().with_dropout(0.3).with_dropout(0.1)
    assert [layer.rate for layer in again.layers if isinstance(layer, Dropout)] == [0.1, 0.1]
    assert letters().with_dropout(0.3).layout().digest == letters().layout().digest
    with pytest.raises(ModelError, match="no such place"):
        Model((Flatten(), Dense(2))).with_dropout(0.5)


def test_networks_with_normalisation() -> None:
    convolutions = [3 * 16, 16 * 16, 16 * 16, 16 * 32, 32 * 32, 32 * 64, 64 * 64]
    shortcuts, norms, dense = 16 * 32 + 32 * 64, 2 * 3 * (16 + 32 + 64), 65 * 10
    assert resnet8().layout().size == 9 * sum(convolutions) + shortcuts + norms + dense
    convolutions, norms = [3 * 32, 32 * 32, 32 * 64, 64 * 64, 64 * 128, 128 * 128], 2 * (2 * (32 + 64 + 128) + 128)
    assert vgg7().layout().size == 9 * sum(convolutions) + norms + 129 * 10
    assert resnet8((28, 28, 1)).shapes()[-2:] == [(64,), (10,)]


@pytest.mark.parametrize(
    "model", [resnet8(), vgg7((28, 28, 1)), letters(), lenet(), mlp((3, 4, 2), 5), letters().with_dropout(0.5)]
)
def test_descriptions_survive_the_wire(model: Model) -> None:
    assert model_from(msgpack.unpackb(msgpack.packb(model.describe()))) == model


@pytest.mark.parametrize(
    ("layers", "settings", "message"),
    [
        ((), {}, "at least one layer"),
        ((Conv2d(1),), {}, r"must end in features \(F,\), this one ends in \(26, 26, 1\)"),
        ((Flatten(), Dense(1)), {"loss": "hinge"}, "no loss 'hinge'"),
        ((Flatten(),), {"shape": (28, 28)}, r"shape is \(H, W, C\)"),
        ((Flatten(),), {"shape": (28, 0, 1)}, r"shape is \(H, W, C\)"),
        ((Flatten(), Dense(1, name="a"), Dense(1, name="a")), {}, "two layers are named 'a'"),
        ((Flatten(name="a.b"),), {}, "must be a plain word"),
        ((Conv2d(1), MaxPool2d(), Conv2d(1, 14), Flatten()), {}, "c2: a 14x14 kernel does not fit images of 13x13"),
        ((Flatten(), Gelu(), MaxPool2d()), {}, "pool1: MaxPool2d needs images"),
    ],
)
def test_refusals(layers: tuple[Layer, ...], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model(layers, **settings)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ([], "a model is a table"),
        ({"layers": 3}, "a model is a table"),
        ({"layers": [{"type": "Flatten"}], "depth": 3}, "a model has no 'depth'"),
        ({"layers": ["Flatten"]}, "a layer is a table"),
        ({"layers": [{"type": "Flatten"}], "shape": "28x28"}, "shape is"),
    ],
)
def test_descriptions_that_are_none(description: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        model_from(description)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_models_fit_the_data(name: str) -> None:
    check_fits(load_model(name, (20, 30, 1), 7), (20, 30, 1), 7)


def test_a_model_on_features() -> None:
    assert mlp((8,), 3).shapes() == [(8,), (128,), (128,), (64,), (64,), (3,)]
    model = load_model("mlp", (8,), 1, values=True)
    assert (model.loss, model.shape, model.classes) == ("mean_squared_error", (8,), 1)
    check_fits(model, (8,), 1, values=True)
    for name in ("letters", "lenet", "resnet8", "vgg7"):
        with pytest.raises(ModelError, match=rf"{name}: c1: Conv2d needs images .* \(8,\), which are features; .* mlp"):
            load_model(name, (8,), 3)


@pytest.mark.parametrize(
    ("model", "shape", "outputs", "said"),
    [
        (mlp((8,), 1), (8,), 1, 'softmax_cross_entropy cannot learn: the model needs loss = "mean_squared_error"'),
        (load_model("mlp", (8,), 2, values=True), (8,), 1, "2 outputs, the data 1 values.*give the last Dense 1"),
        (load_model("mlp", (8,), 1, values=True), (9,), 1, "takes 8 features, the data has 9"),
        (mlp(), (9,), 1, r"takes images of 28x28x1 \(H x W x C\), the data has 9 features"),
    ],
)
def test_a_model_that_does_not_suit_values(model: Model, shape: tuple[int, ...], outputs: int, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        check_fits(model, shape, outputs, values=True)


def test_models_from_files(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(FILE)
    model = load_model(str(path), (4, 5, 1), 3)
    assert model == Model((Flatten(), Dense(3, name="out")), (4, 5, 1), "mean_squared_error")
    path.write_text("layers = [")
    with pytest.raises(ModelError, match="is not valid TOML"):
        load_model(str(path), (4, 5, 1), 3)
    with pytest.raises(ModelError, match=r"no model or file 'resnet': use letters, .*; did you mean 'resnet8'"):
        load_model("resnet", (4, 5, 1), 3)


def test_names_within_layers_differ_throughout_the_model() -> None:
    inner = Residual((Conv2d(2, padding=1), Relu()), Conv2d(2, 1), name="inner")
    model = Model((Conv2d(2), Residual((inner, Conv2d(2, 1))), Conv2d(3), Flatten(), Dense(2)))
    names = "c1, res1, inner, c2, relu1, c3, c4, c5, flatten1, fc1"
    assert ", ".join(layer.name for layer in model.every_layer()) == names
    assert list(model.layout().specs)[2:4] == ["c2.filter", "c2.bias"]
    assert model_from(model.describe()) == model
    with pytest.raises(ModelError, match="two layers are named 'inner'"):
        Model((inner, inner))
    with pytest.raises(ModelError, match=r"layer 2: name must be a plain word like 'c1', got 'a\.b'"):
        Model((Conv2d(2), Residual(Conv2d(2, padding=1, name="a.b"))))


def test_dropout_within_layers() -> None:
    model = Model((Residual((Dense(3), Relu(), Dense(3))), Dense(2)), (3,)).with_dropout(0.3)
    assert [type(layer).__name__ for layer in model.every_layer()][2:4] == ["Dropout", "Relu"]
    assert [layer.rate for layer in model.with_dropout(0.1).every_layer() if isinstance(layer, Dropout)] == [0.1]


NESTED = """
[[layers]]
type = "Residual"
[[layers.layers]]
type = "Conv2d"
filters = 4
stride = 2
padding = "same"
[[layers.shortcut]]
type = "Conv2d"
filters = {}
kernel = 1
stride = [2, 2]
[[layers]]
type = "GlobalAvgPool"
"""


def test_layers_within_layers_in_a_file() -> None:
    Path("my.toml").write_text(NESTED.format(4))
    block = Residual((Conv2d(4, stride=2, padding="same"),), (Conv2d(4, 1, stride=2),))
    assert load_model("my.toml", (5, 5, 1), 4) == Model((block, GlobalAvgPool()), (5, 5, 1))
    for wrong, said in (
        ("0", "layer 1: in shortcut, layer 1: Conv2d: filters must be"),
        ("5", "res1: layers and shortcut must end"),
    ):
        Path("my.toml").write_text(NESTED.format(wrong))
        with pytest.raises(ModelError, match=rf"^my\.toml: {said}"):
            load_model("my.toml", (5, 5, 1), 4)


def test_data_that_does_not_fit() -> None:
    with pytest.raises(ModelError, match=r"takes images of 28x28x1 .*, the data has 16x8x1"):
        check_fits(letters(), (16, 8, 1), 26)
    with pytest.raises(ModelError, match="26 outputs, the data 47 classes"):
        check_fits(letters(), (28, 28, 1), 47)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("layers = []", "a model needs at least one layer"),
        ("[[layers]]\ntype = 'Dens'", "layer 1: no layer type 'Dens'"),
        ("shape = [1, 2]\n[[layers]]\ntype = 'Flatten'", r"a model's shape is \(H, W, C\)"),
        ("[[layers]", "is not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_name(text: str, reason: str) -> None:
    Path("my.toml").write_text(text)
    with pytest.raises(ModelError, match=rf"^my\.toml:? {reason}"):
        load_model("my.toml", (28, 28, 1), 26)


def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("my.toml").touch()

    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ModelError, match=r"^my\.toml cannot be read: Permission denied"):
        load_model("my.toml", (28, 28, 1), 26)
