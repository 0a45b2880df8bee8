"""What a person wrote is checked: wrong gradients, and what cannot be the same everywhere, are refused."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.errors import ModelError, OwnCodeError, SettingsError
from engine.nn.layers import Conv2d, Dense, Flatten, Residual
from engine.nn.model import Model, model_from
from engine.nn.own.check import check_imported, check_own
from engine.nn.own.layer import Numbers, OwnLayer
from engine.nn.own.losses import own_loss
from engine.nn.own.metrics import check_metrics, own_metric
from engine.nn.parameters import Spec
from tests.support.own_code import forgotten, layer


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    """Forget the layers and losses of each test."""
    with forgotten():
        yield


def model(own: OwnLayer, loss: str = "softmax_cross_entropy") -> Model:
    return Model((Conv2d(4), own, Flatten(), Dense(3)), (5, 5, 2), loss)


def square(wrong: float = 1.0, offset: float = 0.0, **more: object) -> OwnLayer:
    """Return a layer that squares, whose gradient is `wrong` times the right one."""

    def forward(self: OwnLayer, x: Numbers) -> tuple[Numbers, Numbers]:
        return x * x + offset * x.sum(axis=0), x

    def backward(self: OwnLayer, dy: Numbers, x: Numbers) -> Numbers:
        return 2 * wrong * dy * x

    return layer("Square", forward=forward, backward=backward, **more)


@pytest.mark.parametrize("wrong", [1.01, 0.0, -1.0, np.nan])
def test_a_wrong_gradient_is_found(wrong: float) -> None:
    check_own(model(square()))
    with pytest.raises(OwnCodeError, match=r"test_check.py:\d+: backward of square1: its gradient of x is wrong"):
        check_own(model(square(wrong)))


def test_a_surrogate_is_meant_to_be_another_gradient() -> None:
    check_own(model(square(3.0, surrogate=True)))


def test_a_layer_that_mixes_samples_is_refused() -> None:
    with pytest.raises(OwnCodeError, match="depends on which others come with it"):
        check_own(model(square(offset=0.1)))


class Scale(OwnLayer):
    """Two parameters, of which one gradient may be wrong, and other shapes after it than before."""

    factor: float = 2.0
    wrong: float = 1.0

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], 2 * shape[-1])

    def parameters(self, shape: tuple[int, ...]) -> tuple[Spec, ...]:
        return Spec("gain", (shape[-1],), 1, initial=1.0), Spec("shift", (2, shape[-1]), 4)

    def forward(self, x: Numbers, gain: Numbers, shift: Numbers) -> tuple[Numbers, Numbers]:  # type: ignore[override]
        return np.concatenate([self.factor * x * gain + shift[0], x**3 + shift[1]], axis=-1), x

    def backward(  # type: ignore[override]
        self, dy: Numbers, x: Numbers, gain: Numbers, shift: Numbers
    ) -> tuple[Numbers, dict[str, Numbers]]:
        a, b = np.split(dy, 2, axis=-1)
        axes = tuple(range(x.ndim - 1))
        own = {"gain": self.factor * (a * x).sum(axes), "shift": self.wrong * np.stack([a.sum(axes), b.sum(axes)])}
        return self.factor * a * gain + 3 * b * x**2, own


@pytest.fixture
def scale() -> type[OwnLayer]:
    """Return the class `Scale`, registered."""
    from engine.nn.layers import REGISTRY

    REGISTRY["Scale"] = Scale
    return Scale


def test_gradients_of_parameters_are_checked_wherever_the_layer_is(scale: type[Scale]) -> None:
    inner = Residual([Conv2d(4, 1), Scale()], shortcut=Conv2d(8, 1))
    check_own(Model((inner, Flatten(), Dense(3)), (4, 4, 2)))
    wrong = Residual([Conv2d(4, 1), Scale(wrong=0.9)], shortcut=Conv2d(8, 1))
    with pytest.raises(OwnCodeError, match="backward of scale1: its gradient of shift is wrong"):
        check_own(Model((wrong, Flatten(), Dense(3)), (4, 4, 2)))


def test_a_layer_is_described_and_rebuilt_with_its_settings(scale: type[Scale]) -> None:
    described = model(Scale(factor=3.0)).describe()
    assert described["layers"][1] == {"type": "Scale", "name": "scale1", "factor": 3.0, "wrong": 1.0}
    assert model_from(described) == model(Scale(factor=3.0))
    with pytest.raises(ModelError, match="Scale has no 'factr'; did you mean 'factor'"):
        model_from({"layers": [{"type": "Scale", "factr": 3}]})


def test_a_single_precision_layer_is_checked_too() -> None:
    def forward(self: OwnLayer, x: Numbers) -> tuple[Numbers, Numbers]:
        return np.tanh(x.astype(np.float32)), x

    def backward(self: OwnLayer, dy: Numbers, x: Numbers) -> Numbers:
        slope: Numbers = 1 - np.tanh(x) ** 2
        return dy * slope

    def twice(self: OwnLayer, dy: Numbers, x: Numbers) -> Numbers:
        return 2 * backward(self, dy, x)

    check_own(model(layer("Single", forward=forward, backward=backward)))
    with pytest.raises(OwnCodeError, match="is wrong"):
        check_own(model(layer("Single2", forward=forward, backward=twice)))


def test_a_random_layer_is_refused() -> None:
    rng = np.random.default_rng()
    noise = layer("Noise", forward=lambda self, x: (x + rng.normal(size=x.shape[1:]), None))
    with pytest.raises(OwnCodeError, match="it must not be random"):
        check_own(model(noise))


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda x: x, "must return outputs, saved"),
        (lambda x: (x[:, :2], None), r"the outputs must be floats of shape \(3, 3, 3, 4\), got float64 \(3, 2, 3, 4\)"),
        (lambda x: (x.tolist(), None), "got list"),
        (lambda x: (x.astype(int), None), "got int64"),
        (lambda x: (x / 0, None), "are not finite"),
        (lambda x: (x @ x.T, None), "in forward of odd1: ValueError: matmul"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_outputs_that_cannot_be_are_refused(returned: object, said: str) -> None:
    def forward(self: OwnLayer, x: Numbers) -> object:
        return returned(x)  # type: ignore[operator]

    with pytest.raises(OwnCodeError, match=said):
        check_own(model(layer("Odd", forward=forward)))


@pytest.mark.parametrize("shape", [(), "no", (1, 2), (0,), (1.5,), None])
def test_a_shape_that_cannot_be_is_refused(shape: object) -> None:
    odd = layer("Odd", output_shape=lambda self, _: shape)
    with pytest.raises(OwnCodeError, match=r"output_shape of Odd must return|output_shape of odd1 must return"):
        model(odd)


def test_a_built_in_name_is_taken() -> None:
    with pytest.raises(ModelError, match="there is a layer type Relu already"):
        type("Relu", (OwnLayer,), {})
    with pytest.raises(ModelError, match="there is a loss mean_squared_error already"):

        @own_loss
        def mean_squared_error(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
            return outputs[:, 0], outputs


def test_a_loss_is_checked() -> None:
    @own_loss(values=True)
    def quartic(outputs: Numbers, targets: Numbers) -> tuple[Numbers, Numbers]:
        return ((outputs - targets) ** 4).sum(axis=1), 4 * (outputs - targets) ** 3

    @own_loss
    def wrong(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
        return (outputs**2).sum(axis=1), outputs

    @own_loss
    def mixed(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
        return (outputs**2).sum(axis=1) / len(outputs), 2 * outputs / len(outputs)

    @own_loss
    def short(outputs: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
        return outputs[:, 0], outputs[:1]

    check_own(model(square(), "quartic"))
    for name, said in (
        ("wrong", r"test_check.py:\d+: loss wrong: its gradient is wrong"),
        ("mixed", "that of a sample depends on the others"),
        ("short", "must return losses"),
    ):
        with pytest.raises(OwnCodeError, match=said):
            check_own(model(square(), name))


def test_workers_must_know_the_module() -> None:
    with pytest.raises(SettingsError, match=r"Square is your own, from .*, and workers must know it: give --import "):
        check_imported(model(square()))


def test_a_metric_is_checked_with_as_many_classes_as_the_model_has() -> None:
    @own_metric
    def odd(confusion: Numbers) -> float:
        return 1.0 if confusion.shape == (3, 3) else float(confusion[99, 99])

    check_metrics(3)
    with pytest.raises(OwnCodeError, match=r"test_check.py:\d+: in metric odd: IndexError"):
        check_metrics(4)

    @own_metric
    def text(confusion: Numbers) -> float:
        return "much"  # type: ignore[return-value]

    with pytest.raises(OwnCodeError, match="metric text must return a number, got str"):
        check_metrics(3)
