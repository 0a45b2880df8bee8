"""Networks with a person's own layers and loss: the gradients of a program are those of the same built-in ones."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.compute.predictor import Predictor
from engine.compute.program import compile_model
from engine.data import Normalisation
from engine.kernels import choose
from engine.nn.layers import Conv2d, Dense, Flatten, Layer, MaxPool2d, Residual, Tanh
from engine.nn.model import Model
from engine.nn.own.layer import Numbers, OwnLayer
from engine.nn.own.losses import own_loss
from engine.nn.parameters import Spec
from tests.support.own_code import forgotten, layer

N = 21


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    """Forget the layers and losses of each test."""
    with forgotten():
        yield


def own_tanh() -> OwnLayer:
    """Return tanh as a person would write it."""

    def forward(self: OwnLayer, x: Numbers) -> tuple[Numbers, Numbers]:
        y = np.tanh(x)
        return y, y

    def backward(self: OwnLayer, dy: Numbers, y: Numbers) -> Numbers:
        slope: Numbers = 1 - y * y
        return dy * slope

    return layer("MyTanh", forward=forward, backward=backward)


def own_dense(features: int) -> OwnLayer:
    """Return a dense layer as a person would write it, with parameters named as those of Dense."""

    def parameters(self: OwnLayer, shape: tuple[int, ...]) -> tuple[Spec, ...]:
        return Spec("weights", (features, *shape), shape[0]), Spec("bias", (features,), shape[0])

    def forward(self: OwnLayer, x: Numbers, weights: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
        assert not (weights.flags.writeable or bias.flags.writeable)
        return x @ weights.T + bias, x

    def backward(
        self: OwnLayer, dy: Numbers, x: Numbers, weights: Numbers, bias: Numbers
    ) -> tuple[Numbers, dict[str, Numbers]]:
        return dy @ weights, {"bias": dy.sum(axis=0), "weights": dy.T @ x}

    shape = {"output_shape": lambda self, _: (features,), "parameters": parameters}
    return layer("MyDense", forward=forward, backward=backward, prefix="fc", **shape)


def network(activation: Layer, last: Layer, loss: str = "softmax_cross_entropy") -> Model:
    # The own layer's output goes into buffers with and without borders: of a convolution with padding, of a pool.
    inner = Residual([activation, Conv2d(8, padding=1)])
    return Model((Conv2d(8), inner, MaxPool2d(), Flatten(), last), (9, 8, 2), loss)


def gradient(model: Model, start: int = 0, stop: int = N) -> tuple[float, int, Numbers]:
    """Return loss, correct answers and gradient of some of N samples together, in micro-batches of 4."""
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((N, *model.shape)).astype(np.float32)
    labels = rng.integers(0, model.classes, N).astype(np.int32)
    layout = model.layout()
    parameters, out = layout.zeros(), layout.zeros()
    layout.initialise(parameters, 3)
    program = compile_model(model, 4, choose("exact"), samples=stop - start)
    program.prepare(parameters)
    loss, correct = program.gradient(inputs[start:stop], labels[start:stop], (), out)
    return loss, correct, out


def test_own_layers_compute_what_the_same_built_in_ones_do() -> None:
    ours = gradient(network(Tanh(), Dense(5)))
    own = gradient(network(own_tanh(), own_dense(5)))
    assert own[0] == pytest.approx(ours[0], rel=1e-5)
    assert own[1] == ours[1]
    np.testing.assert_allclose(own[2], ours[2], 1e-4, 1e-5)


def test_an_own_loss_computes_what_the_same_built_in_one_does() -> None:
    @own_loss
    def entropy(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
        rows, powers = np.arange(len(labels)), np.exp(outputs)
        chances = powers / powers.sum(axis=1, keepdims=True)
        slope = chances.copy()
        slope[rows, labels] -= 1
        return -np.log(chances[rows, labels]), slope

    ours = gradient(network(Tanh(), Dense(5)))
    own = gradient(network(Tanh(), Dense(5), "entropy"))
    assert own[0] == pytest.approx(ours[0], rel=1e-5)
    assert own[1] == ours[1]
    np.testing.assert_allclose(own[2], ours[2], 1e-4, 1e-5)


def test_how_many_are_computed_together_changes_no_bit() -> None:
    model = network(own_tanh(), own_dense(5))
    parts = gradient(model, 0, 4)[2], gradient(model, 4, 8)[2]
    np.testing.assert_array_equal(gradient(model, 0, 8)[2], parts[0] + parts[1])


def test_answers_do_not_depend_on_what_is_asked_with_them(numpy_kernels: None) -> None:
    model = network(own_tanh(), own_dense(5))
    parameters = model.layout().zeros()
    model.layout().initialise(parameters, 1)
    images = np.random.default_rng(2).integers(0, 256, (40, 9, 8, 2), dtype=np.uint8)
    predictor = Predictor(model, Normalisation((100.0, 100.0), (50.0, 50.0)))
    together = predictor.logits(parameters, images)
    alone = [predictor.logits(parameters, images[n : n + 1])[0] for n in range(40)]
    np.testing.assert_array_equal(together, alone)


def test_own_layers_see_samples_one_after_the_other() -> None:
    def forward(self: OwnLayer, x: Numbers) -> tuple[Numbers, None]:
        assert x.flags.c_contiguous
        return x, None

    def backward(self: OwnLayer, dy: Numbers, _: None) -> Numbers:
        assert dy.flags.c_contiguous
        return dy

    gradient(network(layer("Same", forward=forward, backward=backward), Dense(5)))


def test_an_own_loss_may_write_to_what_it_is_given() -> None:
    def entropy(outputs: Numbers, labels: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
        slope = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        losses = -np.log(slope[rows, labels])
        slope[rows, labels] -= 1
        return losses, slope

    @own_loss
    def careful(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
        return entropy(outputs, labels, np.arange(len(labels)))

    @own_loss
    def careless(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
        found = entropy(outputs, labels, np.arange(len(labels)))
        outputs[:], labels[:] = 0, 1
        return found

    expected, found = (gradient(network(Tanh(), Dense(5), name)) for name in ("careful", "careless"))
    assert found[:2] == expected[:2]
    np.testing.assert_array_equal(found[2], expected[2])
