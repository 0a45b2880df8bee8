"""A job crosses the wire and comes back the same; anything else is refused, with what is wrong."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compute.job import Job, job_from
from engine.data import Normalisation
from engine.errors import ProtocolError
from engine.nn.built_in import lenet, letters, mlp
from engine.nn.frozen import layer_of
from engine.nn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GroupNorm,
    LeakyRelu,
    MaxPool2d,
    Relu,
    Residual,
)
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model
from engine.wire import messages as m
from tests.support.fakes import JOB

COLOUR = Model(
    (
        Conv2d(2, 3, stride=2, padding=1),
        Relu(),
        MaxPool2d(3),
        LeakyRelu(0.1),
        AvgPool2d(1),
        Residual((Conv2d(2, padding="same"), GroupNorm(2)), Residual((Relu(),), name="r")),
        Flatten(),
        Dropout(0.25),
        Dense(4, name="x"),
        Gelu(),
        Dense(2),
    ),
    shape=(9, 7, 3),
    loss=SQUARED_ERROR,
)
MODELS = [letters(), mlp(), lenet(), letters().with_dropout(0.5), COLOUR]
GOOD = JOB.describe()


def across(job: Job) -> Job:
    """Return what arrives on the other side."""
    return job_from(m.unpack(m.pack(job.describe())))


@pytest.mark.parametrize("model", MODELS)
def test_a_job_with_any_model(model: Model) -> None:
    job = Job(model, "ab" * 32, Normalisation((1.5, 0.0, 3.0), (2.0, 1e-9, 255.0)), 64, 16, 2**63 - 1, augment=True)
    arrived = across(job)
    assert arrived == job
    assert arrived.model.layout().digest == model.layout().digest


def test_a_job_on_features_with_values() -> None:
    scales = Normalisation((1.5, 0.1), (2.0, 1e-9)), Normalisation((1e30,), (1e-30,))
    job = Job(mlp((2,), 1), "ab" * 32, scales[0], 64, 16, 1, augment=False, values=scales[1])
    assert across(job) == job


def test_a_job_with_weights_and_frozen_layers() -> None:
    job = replace(JOB, class_weights=(0.0, 2.0), frozen=(layer_of(next(iter(JOB.model.layout().specs))),))
    assert across(job) == job


@given(
    st.text(max_size=80),
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False), st.floats(0, exclude_min=True, allow_infinity=False)
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 2**40),
    st.integers(1, 4096),
    st.integers(0, 2**63 - 1),
    st.booleans(),
)
def test_a_job_with_any_numbers(
    data: str, channels: list[tuple[float, float]], batch_size: int, microbatch: int, seed: int, augment: bool
) -> None:
    normalisation = Normalisation(*map(tuple, zip(*channels, strict=True)))
    job = Job(JOB.model, data, normalisation, batch_size, microbatch, seed, augment)
    assert across(job) == job


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("data", 1, "job.data must be str, got 1"),
        ("batch_size", 0, "must be at least 1"),
        ("batch_size", 1.0, "job.batch_size must be int"),
        ("batch_size", True, "job.batch_size must be int"),
        ("microbatch", -1, "must be at least 1"),
        ("seed", -1, "job.seed at least 0"),
        ("seed", "1", "job.seed must be int"),
        ("validation", 1.0, "job.validation must be at least 0 and below 1"),
        ("validation", -0.1, "job.validation must be at least 0 and below 1"),
        ("label_smoothing", 1.0, "job.label_smoothing must be at least 0 and below 1"),
        ("augment", 1, "augment must be true, false or text"),
        ("augment", "shfit", "no change is called"),
        ("normalisation", None, "cannot be understood"),
        ("normalisation", {"mean": [0.0]}, "cannot be understood"),
        ("normalisation", {"mean": 1, "deviation": 2}, "cannot be understood"),
        ("model", None, "cannot be understood"),
        ("model", {}, "cannot be understood"),
        ("model", {"layers": [{"type": "Unheard"}]}, "cannot be understood"),
        ("model", {"layers": [{"type": "Dense", "features": -1}]}, "cannot be understood"),
        ("class_weights", [1.0], "class_weights must be 2 finite numbers"),
        ("class_weights", [1.0, -1.0], "class_weights must be 2 finite numbers"),
        ("class_weights", [1.0, math.inf], "class_weights must be 2 finite numbers"),
        ("class_weights", [1.0, 1], "class_weights must be 2 finite numbers"),
        ("frozen", ["no such layer"], "frozen must be names of layers"),
        ("frozen", [1], "frozen must be names of layers"),
    ],
)
def test_a_job_that_is_wrong(name: str, value: object, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        job_from(GOOD | {name: value})


@pytest.mark.parametrize("description", [None, 1, "job", [], {}, GOOD | {"more": 1}])
def test_what_is_no_job(description: object) -> None:
    with pytest.raises(ProtocolError, match="a job is a table with model, normalisation, data, batch_size"):
        job_from(description)


@pytest.mark.parametrize("name", GOOD)
def test_a_job_with_something_missing(name: str) -> None:
    with pytest.raises(ProtocolError, match="a job is a table with"):
        job_from({key: value for key, value in GOOD.items() if key != name})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value in nested plain data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


DESCRIPTION = m.unpack(m.pack(Job(COLOUR, "ab", Normalisation((1.0,), (2.0,)), 64, 16, 1, augment=True).describe()))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
PLAIN = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3)


@settings(max_examples=200)
@given(st.sampled_from([place for place in places(DESCRIPTION) if place]), PLAIN)
def test_one_value_replaced_by_anything_is_refused_or_harmless(place: tuple[Any, ...], value: object) -> None:
    description = copy.deepcopy(DESCRIPTION)
    inner = description
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    try:
        job = job_from(description)
    except ProtocolError:
        return
    assert isinstance(job, Job)
