"""Programs on features and with values to be predicted, and how good these predictions are."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.program import compile_model
from engine.compute.sums import Sums
from engine.compute.validation import Scorer, Validation
from engine.data import Measure, Normalisation, Split
from engine.errors import DataError
from engine.kernels import Backend
from engine.nn.built_in import mlp
from engine.nn.layers import Dense, Gelu
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model
from tests.support.backends import each_backend, ints, normal
from tests.support.programs import case, check_against_reference
from tests.support.reference import gradients


@each_backend
@given(D=st.integers(1, 9), N=st.integers(1, 9), seed=st.integers(0, 9))
def test_gradients_of_a_network_on_features(kernels: Backend, D: int, N: int, seed: int) -> None:
    check_against_reference(case(mlp((D,), 3), N, kernels, seed))


@each_backend
@given(D=st.integers(1, 9), T=st.integers(1, 4), N=st.integers(1, 9), seed=st.integers(0, 9))
def test_gradients_for_values(kernels: Backend, D: int, T: int, N: int, seed: int) -> None:
    model = Model((Dense(5), Gelu(), Dense(T)), (D,), SQUARED_ERROR)
    c, values = case(model, N, kernels, seed), normal(N, T, seed=seed)
    out = c.program.layout.zeros()
    loss, correct = c.program.gradient(c.images, values, (), out)
    exact = {name: array.astype(float) for name, array in c.program.layout.public(c.parameters)}
    want, slopes = gradients(c.model, exact, c.images.astype(float), values.astype(float))
    assert loss == pytest.approx(want, rel=1e-5)
    assert correct == 0
    for name, array in c.program.layout.public(out):
        scale = np.abs(slopes[name]).max()
        np.testing.assert_allclose(array, slopes[name], rtol=0, atol=5e-6 * scale + 1e-9, err_msg=name)


@each_backend
def test_labels_after_values_and_values_after_labels(kernels: Backend) -> None:
    c = case(Model((Dense(2),), (3,), SQUARED_ERROR), 2, kernels)
    values, labels = normal(2, 2, seed=1), ints(0, 1)
    before = c.program.evaluate(c.images, values), c.program.evaluate(c.images, labels)
    assert (c.program.evaluate(c.images, values), c.program.evaluate(c.images, labels)) == before
    one_hot = np.eye(2, dtype=np.float32)
    assert c.program.evaluate(c.images, one_hot)[0] == pytest.approx(before[1][0], rel=1e-6)


def test_values_that_do_not_suit_a_model() -> None:
    c = compile_model(mlp((3,), 2), 2)
    c.prepare(c.layout.zeros())
    with pytest.raises(DataError, match="values are learned with mean_squared_error"):
        c.evaluate(normal(2, 3), normal(2, 2))
    squared = compile_model(Model((Dense(2),), (3,), SQUARED_ERROR), 2)
    squared.prepare(squared.layout.zeros())
    with pytest.raises(ValueError, match=r"want values of shape \(2, 2\), got \(2, 1\)"):
        squared.evaluate(normal(2, 3), normal(2, 1))
    with pytest.raises(ValueError, match=r"want inputs of shape \(2, 3\), got \(2, 4\)"):
        squared.evaluate(normal(2, 4), normal(2, 2))


@given(N=st.integers(2, 9), T=st.integers(1, 3), seed=st.integers(0, 99))
def test_r2_is_one_minus_the_share_of_the_spread_that_is_left(N: int, T: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, told = rng.normal(50, 5, (N, T)).astype(np.float32), rng.normal(50, 5, (N, T))
    scale = Normalisation((40.0,) * T, tuple(rng.uniform(1, 9, T)))
    errors, spread = ((x / scale.deviation) ** 2 for x in (told - truth, truth - truth.mean(axis=0, dtype=float)))
    test = Split(np.zeros((N, 1), np.float32), truth)
    found = Scorer.of(test, scale).validation(7, Sums(errors.mean(axis=1).sum(), 0))
    assert found.r2 == pytest.approx(1 - errors.sum() / spread.sum())
    assert (found.step, found.total, found.measure, found.score) == (7, N, Measure.R2, found.r2)
    assert math.isnan(found.percent)


def test_r2_of_values_that_are_all_the_same_is_nan() -> None:
    test = Split(np.zeros((3, 1), np.float32), np.full((3, 1), 0.1, np.float32))
    found = Scorer.of(test, Normalisation((0.0,), (1.0,))).validation(1, Sums(0.3, 0))
    assert found.r2 is not None and math.isnan(found.r2)
    assert found.asdict() == {"total": 3, "r2": None, "loss": pytest.approx(0.1)}


@pytest.mark.parametrize("validation", [Validation(3, 4, 5, 0.5), Validation(3, 0, 5, 0.5, -0.25)])
def test_a_validation_as_plain_data(validation: Validation) -> None:
    assert Validation.from_dict(validation.asdict() | {"step": 3}) == validation


@pytest.mark.parametrize(
    "change",
    [{"loss": None}, {"loss": "low"}, {"total": 0}, {"correct": 6}, {"correct": -1}, {"step": 3.0}, {"r2": "high"}],
)
def test_what_is_no_validation(change: dict[str, object]) -> None:
    good = {"step": 3, "correct": 4, "total": 5, "loss": 0.5}
    with pytest.raises(ValueError, match="a validation"):
        Validation.from_dict(good | change)


@pytest.mark.parametrize("name", ["step", "correct", "total", "loss"])
def test_a_validation_with_something_missing(name: str) -> None:
    good = {"step": 3, "correct": 4, "total": 5, "loss": 0.5}
    with pytest.raises(ValueError, match="a validation of"):
        Validation.from_dict({key: value for key, value in good.items() if key != name})


def test_the_best_r2_is_the_highest_and_nan_is_never_the_best() -> None:
    none, low, high = (Validation(step, 0, 4, 1.0, r2) for step, r2 in ((1, math.nan), (2, -0.5), (3, 0.5)))
    assert not none.beats(None)
    assert low.beats(None)
    assert high.beats(low)
    assert not low.beats(high)
    assert not none.beats(low)
    assert not replace(high, step=4).beats(high), "of equal ones the first stays"


def test_a_loss_that_is_nan_is_never_the_best_whatever_the_score() -> None:
    bad, good = (Validation(step, 0, 4, loss) for step, loss in ((1, math.nan), (2, 1.0)))
    assert not bad.beats(None)
    assert not replace(bad, correct=4).beats(good)
    assert good.beats(None)
