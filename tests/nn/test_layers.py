"""Layers: shapes by the documented formulas, parameters, descriptions, and refusals."""

import json

import msgpack
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.nn.layers import (
    REGISTRY,
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
    layer_from,
)

ACTIVATIONS = [Gelu(), LeakyRelu(0.2), Relu(), Sigmoid(), Silu(), Softplus(), Tanh()]
EXAMPLES = [
    *ACTIVATIONS,
    Conv2d(3, 5, 2, 1),
    Conv2d(2, (1, 3), (2, 1), (0, 2), bias=False),
    Conv2d(1, padding="same"),
    *(AvgPool2d(3), Dense(4), Dropout(0.25), Flatten(name="flat"), GlobalAvgPool(), MaxPool2d(3)),
    LayerNorm(),
    GroupNorm(2, epsilon=0.1),
    Residual((Conv2d(2), Residual((Relu(),))), (Conv2d(2, stride=2, name="skip"),)),
]
sizes = st.integers(1, 20)


@given(H=sizes, W=sizes, C=sizes, filters=sizes, kernel=st.integers(1, 7), stride=st.integers(1, 4), data=st.data())
def test_convolution(H: int, W: int, C: int, filters: int, kernel: int, stride: int, data: st.DataObject) -> None:
    padding = data.draw(st.integers(0, kernel - 1))
    layer = Conv2d(filters, kernel, stride, padding)
    places = [len(range(0, size + 2 * padding - kernel + 1, stride)) for size in (H, W)]
    if 0 in places:
        with pytest.raises(ModelError, match="does not fit"):
            layer.output_shape((H, W, C))
        assume(False)
    assert layer.output_shape((H, W, C)) == (*places, filters)
    weights, bias = layer.parameters((H, W, C))
    assert (weights.name, weights.shape, weights.fan_in) == ("filter", (filters, C, kernel, kernel), C * kernel**2)
    assert weights.storage_shape == (kernel, kernel, C, filters)
    assert (bias.name, bias.shape, bias.fan_in) == ("bias", (filters,), C * kernel**2)


@given(H=sizes, W=sizes, kernel=st.tuples(sizes, sizes), stride=st.tuples(sizes, sizes))
def test_same_padding_keeps_the_size_but_for_the_stride(
    H: int, W: int, kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    layer = Conv2d(5, kernel, stride, "same", bias=False)
    assert layer.output_shape((H, W, 2)) == (len(range(0, H, stride[0])), len(range(0, W, stride[1])), 5)
    for before, after in layer.borders((H, W, 2)):
        assert 0 <= after - before <= 1
    assert [spec.name for spec in layer.parameters((H, W, 2))] == ["filter"]


def test_two_equal_numbers_are_one() -> None:
    assert Conv2d(1, (3, 3), (2, 2), (1, 1)) == Conv2d(1, 3, 2, 1)


@given(H=sizes, W=sizes, C=sizes, size=st.integers(1, 25))
def test_pool_rounds_up(H: int, W: int, C: int, size: int) -> None:
    h, w = (len(range(0, length, size)) for length in (H, W))
    for layer in (MaxPool2d(size), AvgPool2d(size)):
        assert layer.output_shape((H, W, C)) == (h, w, C)
        assert layer.parameters((H, W, C)) == ()
    assert GlobalAvgPool().output_shape((H, W, C)) == (C,)


def test_dense_and_flatten() -> None:
    assert Flatten().output_shape((2, 3, 4)) == (24,)
    assert Dense(5).output_shape((24,)) == (5,)
    weights, bias = Dense(5).parameters((24,))
    assert (weights.name, weights.shape, weights.fan_in) == ("weights", (5, 24), 24)
    assert (bias.name, bias.shape, bias.fan_in) == ("bias", (5,), 24)


@pytest.mark.parametrize("layer", [*ACTIVATIONS, Dropout(0.1)])
def test_elementwise_keeps_the_shape(layer: Layer) -> None:
    assert layer.output_shape((2, 3, 4)) == (2, 3, 4)
    assert layer.output_shape((7,)) == (7,)


@pytest.mark.parametrize("layer", EXAMPLES)
def test_descriptions_survive_the_wire(layer: Layer) -> None:
    described = layer.describe()
    assert layer_from(msgpack.unpackb(msgpack.packb(described))) == layer
    assert json.loads(json.dumps(described)) == described  # as a checkpoint keeps it, and it is compared with


def test_every_layer_has_an_example() -> None:
    ours = {name for name, kind in REGISTRY.items() if kind.__module__.startswith("engine.")}  # not a test's own
    assert {type(layer).__name__ for layer in EXAMPLES} == ours


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"type": "Conv3d"}, "no layer type 'Conv3d'; did you mean 'Conv2d'?"),
        ({"type": "dense"}, "no layer type 'dense'; did you mean 'Dense'?"),
        ({"type": "Elementwise"}, f"no layer type 'Elementwise'; there are {', '.join(sorted(REGISTRY))}"),
        ({"type": "Layer"}, "no layer type 'Layer'; did you mean 'LayerNorm'?"),
        ({"type": "BatchNorm2d"}, "BatchNorm2d is not offered: .*; use GroupNorm or LayerNorm"),
        ({"type": "batch_normalization"}, "batch_normalization is not offered"),
        ({"type": "GroupNorm", "groups": 0}, "groups must be a whole number from 1 to 1048576, got 0"),
        ({"type": "LayerNorm", "epsilon": 0}, "LayerNorm: epsilon must be above 0, in the range of float32, got 0"),
        ({"type": "LayerNorm", "epsilon": float("inf")}, "epsilon must be above 0, in the range of float32, got inf"),
        ({"type": "Residual"}, "Residual needs 'layers'"),
        ({"type": "Residual", "layers": []}, r"layers must be a list of at least one layer, got \[\]"),
        ({"type": "Residual", "layers": 3}, "layers must be a list of layers, got 3"),
        (
            {"type": "Residual", "layers": [{"type": "Relu"}, {"type": "Conv2d", "filters": "x"}]},
            "in layers, layer 2: Conv2d: filters must be .*, got 'x'",
        ),
        ({"type": "Residual", "layers": [{"type": "Relu"}], "shortcut": [1]}, "in shortcut, layer 1: a layer is a"),
        ({"type": "Dense", "units": 3}, "Dense has no 'units'; it has name, features"),
        ({"type": "Dense", "feature": 3}, "Dense has no 'feature'; did you mean 'features'?"),
        ({"type": "Dense"}, "Dense needs 'features'"),
        ({"type": "Dense", "features": 0}, "features must be a whole number from 1 to 1048576, got 0"),
        ({"type": "Dense", "features": True}, "got True"),
        ({"type": "Conv2d", "filters": 1, "kernel": 3.0}, "kernel must be"),
        (
            {"type": "Conv2d", "filters": 1, "kernel": 3, "padding": 3},
            'padding must be "same" or from 0 to .* 2, got 3',
        ),
        ({"type": "Conv2d", "filters": 1, "kernel": [3, 1], "padding": 1}, r"from 0 to .* \(2, 0\), got 1"),
        ({"type": "Conv2d", "filters": 1, "padding": "Same"}, "got 'Same'"),
        ({"type": "Conv2d", "filters": 1, "kernel": [3, 1, 1]}, r"for rows and for columns, got \[3, 1, 1\]"),
        ({"type": "Conv2d", "filters": 1, "kernel": [3, 0]}, r"got \[3, 0\]"),
        ({"type": "Conv2d", "filters": 1, "bias": 0}, "bias must be true or false, got 0"),
        ({"type": "Conv2d", "filters": 1, "stride": -1}, "stride must be"),
        ({"type": "MaxPool2d", "size": 1 << 21}, "size must be"),
        ({"type": "Dropout", "rate": 1}, "rate must be at least 0 and below 1, got 1"),
        ({"type": "AvgPool2d", "size": 0}, "size must be a whole number from 1 to 1048576, got 0"),
        ({"type": "LeakyRelu", "slope": -1}, "slope must be from 0 to 1, got -1"),
        ({"type": "LeakyRelu", "slope": float("nan")}, "got nan"),
        ({"type": "LeakyRelu", "slope": True}, "got True"),
        ({"type": "Dropout", "rate": "half"}, "got 'half'"),
        ({"features": 3}, "a layer is a table with a 'type'"),
        ({"type": 3}, "no layer type 3; there are"),
        ("Dense", "a layer is a table"),
    ],
)
def test_refusals(description: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        layer_from(description)


@pytest.mark.parametrize("layer", [Conv2d(1), MaxPool2d(), AvgPool2d(), GlobalAvgPool(), Flatten()])
def test_images_wanted(layer: Layer) -> None:
    with pytest.raises(ModelError, match=r"needs images \(H, W, C\), but gets \(5,\)"):
        layer.output_shape((5,))


def test_layers_within_layers() -> None:
    block = Residual([Conv2d(4, stride=2), GroupNorm(2)], Conv2d(4, stride=2, bias=False))
    assert block == Residual((Conv2d(4, stride=2), GroupNorm(2)), (Conv2d(4, stride=2, bias=False),))
    assert block.output_shape((9, 9, 3)) == (4, 4, 4)
    with pytest.raises(ModelError, match="must end in the same shape, got 4x4x4 and 9x9x3"):
        Residual(block.layers).output_shape((9, 9, 3))
    with pytest.raises(ModelError, match="shortcut must be a list of layers, got 'none'"):
        Residual(block.layers, "none")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="9 channels cannot be cut into 2 equal groups"):
        GroupNorm(2).output_shape((5, 5, 9))


def test_layers_go_only_so_deep() -> None:
    deep: dict[str, object] = {"type": "Relu"}
    for _ in range(8):
        deep = {"type": "Residual", "layers": [deep]}
    layer = layer_from(deep)
    with pytest.raises(ModelError, match="go 8 levels deep at most"):
        layer_from({"type": "Residual", "layers": [deep]})
    with pytest.raises(ModelError, match="go 8 levels deep at most"):
        Residual((layer,))


def test_a_layer_must_say_its_shape() -> None:
    class Vague(Layer):
        prefix = "vague"

    try:
        with pytest.raises(NotImplementedError):
            Vague().output_shape((1,))
    finally:
        del REGISTRY["Vague"]


def test_features_wanted() -> None:
    with pytest.raises(ModelError, match="put a Flatten before it"):
        Dense(2).output_shape((1, 2, 3))
