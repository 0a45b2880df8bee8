"""Kept programs: the same bits as fresh ones, in any thread, with whatever parameters there are now."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.compute.program import compile_model
from engine.data import Normalisation
from engine.errors import DataError, GradsumError
from engine.network import Network
from engine.nn.layers import Conv2d, Dense, Flatten, MaxPool2d
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model
from tests.support.networks import network, samples

MODEL = Model((Conv2d(4), MaxPool2d(), Flatten(), Dense(3)), (9, 8, 1))


@pytest.fixture(params=["numpy", "auto"], autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", request.param)


def fresh(net: Network, count: int) -> Any:
    """Return logits by a program that is compiled for one sample, which is where the bits of BLAS are certain."""
    program = compile_model(net.model, 1)
    program.prepare(net.parameters)
    images = samples(net.model, count)
    return np.concatenate([program.logits(net.normalisation.apply(images[n : n + 1])) for n in range(count)])


@pytest.mark.parametrize("count", [1, 5, 16])
def test_what_is_kept_gives_the_bits_of_what_is_new(count: int) -> None:
    net = network(MODEL)
    for _ in range(2):
        assert np.array_equal(net.logits(samples(MODEL, count)), fresh(net, count))


def test_parameters_that_are_changed_in_place_are_seen() -> None:
    net = network(MODEL)
    before = net.logits(samples(MODEL, 1))
    net.parameters[...] *= 2
    assert not np.array_equal(net.logits(samples(MODEL, 1)), before)
    assert np.array_equal(net.logits(samples(MODEL, 1)), fresh(net, 1))


def test_eight_threads_get_right_answers() -> None:
    net, images = network(MODEL), samples(MODEL, 40)
    parts = [images[start : start + size] for size in (1, 3, 17) for start in range(23)]
    alone = [net.logits(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(net.logits, parts * 3))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 3, together, strict=True))


def test_a_network_that_was_asked_can_be_copied() -> None:
    net = network(MODEL)
    asked = net.logits(samples(MODEL, 2))
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), replace(net, classes=("x", "y", "z"))):  # noqa: S301
        assert np.array_equal(other.logits(samples(MODEL, 2)), asked)


def test_labels_are_names_of_the_likeliest_classes() -> None:
    net = network(MODEL, classes=("a", "b", "c"))
    images = samples(MODEL, 20)
    assert net.labels(images) == [("a", "b", "c")[k] for k in net.probabilities(images).argmax(1)]
    assert set(replace(net, classes=("a",)).labels(images)) == {"a"}, "an output without a name is no answer"
    scale = Normalisation((0.0,) * 3, (1.0,) * 3)
    with pytest.raises(DataError, match="was trained to predict values, not classes"):
        network(replace(MODEL, loss=SQUARED_ERROR), classes=(), values=scale).labels(images)


def test_a_library_that_changed_the_arithmetic_is_noticed_by_programs_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = network(MODEL)
    net.logits(samples(MODEL, 1))

    def changed() -> None:
        raise GradsumError("flush-to-zero")

    monkeypatch.setattr("engine.compute.predictor.check_rounding", changed)
    with pytest.raises(GradsumError, match="flush-to-zero"):
        net.logits(samples(MODEL, 1))
