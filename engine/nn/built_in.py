"""The built-in models, and a model by its name or from a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.errors import ModelError
from engine.nn.layers import (
    Conv2d,
    Dense,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GroupNorm,
    Layer,
    LayerNorm,
    Layers,
    MaxPool2d,
    Relu,
    Residual,
    Shape,
)
from engine.nn.loss_options import CROSS_ENTROPY, SQUARED_ERROR
from engine.nn.model import Model, model_from
from engine.system.spelling import hint
from engine.system.toml import read_toml


def letters(shape: Shape = (28, 28, 1), classes: int = 26) -> Model:
    """Return ConvoAlphabetModel: three convolutions with max-pooling, three dense layers, 137,178 parameters."""
    convolutions = [x for filters in (32, 64, 128) for x in (Conv2d(filters), MaxPool2d())]
    return Model((*convolutions, Flatten(), Dense(64), Gelu(), Dense(128), Gelu(), Dense(classes)), shape)


def mlp(shape: Shape = (28, 28, 1), classes: int = 26) -> Model:
    """Return a multilayer perceptron with two hidden layers of 128 and 64 features, on images or on features."""
    flatten: tuple[Layer, ...] = (Flatten(),) if len(shape) == 3 else ()
    return Model((*flatten, Dense(128), Relu(), Dense(64), Relu(), Dense(classes)), shape)


def lenet(shape: Shape = (28, 28, 1), classes: int = 26) -> Model:
    """Return LeNet-5 (LeCun et al. 1998) with max-pooling and ReLU, as it is commonly built today."""
    features = (Conv2d(6, 5, padding=2), Relu(), MaxPool2d(), Conv2d(16, 5), Relu(), MaxPool2d(), Flatten())
    return Model((*features, Dense(120), Relu(), Dense(84), Relu(), Dense(classes)), shape)


def resnet8(shape: Shape = (32, 32, 3), classes: int = 10) -> Model:
    """Return the smallest residual network of He et al. 2016 (section 4.2, n = 1), with GroupNorm."""

    def convolution(filters: int, stride: int = 1) -> Layers:
        return Conv2d(filters, 3, stride, "same", bias=False), GroupNorm()

    def block(filters: int, stride: int) -> Layers:
        shortcut = (Conv2d(filters, 1, stride, bias=False), GroupNorm()) if stride > 1 else ()
        return Residual((*convolution(filters, stride), Relu(), *convolution(filters)), shortcut), Relu()

    blocks = (*block(16, 1), *block(32, 2), *block(64, 2))
    return Model((*convolution(16), Relu(), *blocks, GlobalAvgPool(), Dense(classes)), shape)


def vgg7(shape: Shape = (32, 32, 3), classes: int = 10) -> Model:
    """Return six convolutions in pairs (Simonyan and Zisserman 2015), each normalised, and a dense layer."""
    convolutions: list[Layer] = []
    for filters in (32, 64, 128):
        pair = [x for _ in range(2) for x in (Conv2d(filters, 3, padding="same", bias=False), GroupNorm(), Relu())]
        convolutions += [*pair, MaxPool2d()] if filters < 128 else pair
    return Model((*convolutions, GlobalAvgPool(), LayerNorm(), Dense(classes)), shape)


BUILT_IN: dict[str, Callable[[Shape, int], Model]] = {
    "letters": letters,
    "mlp": mlp,
    "lenet": lenet,
    "resnet8": resnet8,
    "vgg7": vgg7,
}


def default_name(shape: Shape) -> str:
    """Return the name of the built-in model for samples of `shape`, where a person has not chosen one."""
    return "letters" if len(shape) == 3 else "mlp"


def load_model(name: str, shape: Shape, outputs: int, values: bool = False) -> Model:
    """Return a built-in model made for samples of `shape`, or the one described in a TOML file.

    The outputs of a built-in one are so many classes, or `values` to be predicted. The loss of one that has none of
    its own in its file is the one for these.
    """
    loss = SQUARED_ERROR if values else CROSS_ENTROPY
    if name in BUILT_IN:
        try:
            return replace(BUILT_IN[name](shape, outputs), loss=loss)
        except ModelError as error:
            advice = "the built-in model for features is mlp"
            if len(shape) > 1:
                advice = "mlp, resnet8 and vgg7 take images of any size, and --size makes pictures larger"
            raise ModelError(f"{name}: {error}; {advice}") from None
    path = Path(name)
    if not path.exists():
        near = hint(name, BUILT_IN)
        raise ModelError(f"no model or file {name!r}: use {', '.join(BUILT_IN)}, or the path of a TOML file{near}")
    read = read_toml(path, ModelError, str(path))
    try:
        return model_from({"shape": list(shape), "loss": loss} | read)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
