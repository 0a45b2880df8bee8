"""Optimizers against scalar loops in double precision, written down from the papers."""

import re
import tracemalloc
from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingsError
from engine.kernels import Backend, numpy_backend
from engine.nn.optimizers import (
    NAMES,
    PIECE,
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    optimizer_from,
)
from engine.nn.parameters import aligned
from tests.support.backends import BACKENDS, each_backend, normal

SIZE, STEPS, SCALE = 5, 4, 1 / 64
TINY, HUGE = 2.0**-126, 2.0**128 - 2.0**104  # the smallest normal and the largest float32


def run(optimizer: Optimizer, kernels: Backend) -> list[float]:
    """Return five parameters, 1 at first, after four steps with gradients 64 * normal."""
    w = np.ones(SIZE, np.float32)
    state = optimizer.start(SIZE, kernels)
    for step in range(STEPS):
        state.step(w, 64 * normal(SIZE, seed=step), SCALE)
    assert state.steps == STEPS
    return w.tolist()


def gradients(k: int) -> list[float]:
    """Return the gradients that parameter k sees."""
    return [normal(SIZE, seed=step)[k].item() for step in range(STEPS)]


@each_backend
def test_sgd(kernels: Backend) -> None:
    for k, w in enumerate(run(SGD(lr=0.1), kernels)):
        assert w == pytest.approx(1 - 0.1 * sum(gradients(k)), rel=1e-6)


@each_backend
def test_momentum(kernels: Backend) -> None:
    for k, w in enumerate(run(Momentum(lr=0.1, momentum=0.8), kernels)):
        want, velocity = 1.0, 0.0
        for g in gradients(k):
            velocity = 0.8 * velocity + g
            want -= 0.1 * velocity
        assert w == pytest.approx(want, rel=1e-6)


@each_backend
@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_adam_is_algorithm_1(kernels: Backend, epsilon: float) -> None:
    for k, w in enumerate(run(Adam(lr=0.1, beta1=0.8, beta2=0.95, epsilon=epsilon), kernels)):
        theta, m, v = 1.0, 0.0, 0.0
        for t, g in enumerate(gradients(k), start=1):
            m = 0.8 * m + (1 - 0.8) * g
            v = 0.95 * v + (1 - 0.95) * g * g
            theta -= 0.1 * (m / (1 - 0.8**t)) / (sqrt(v / (1 - 0.95**t)) + epsilon)
        assert w == pytest.approx(theta, rel=2e-6)


@each_backend
def test_nesterov(kernels: Backend) -> None:
    for k, w in enumerate(run(Nesterov(lr=0.1, momentum=0.8), kernels)):
        want, velocity = 1.0, 0.0
        for g in gradients(k):
            velocity = 0.8 * velocity + g
            want -= 0.1 * (g + 0.8 * velocity)
        assert w == pytest.approx(want, rel=1e-6)


@each_backend
@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_rmsprop(kernels: Backend, epsilon: float) -> None:
    for k, w in enumerate(run(RMSprop(lr=0.01, alpha=0.9, epsilon=epsilon), kernels)):
        want, v = 1.0, 0.0
        for g in gradients(k):
            v = 0.9 * v + (1 - 0.9) * g * g
            want -= 0.01 * g / (sqrt(v) + epsilon)
        assert w == pytest.approx(want, rel=2e-6)


@each_backend
def test_the_decay_of_adamw_has_no_part_in_its_means(kernels: Backend) -> None:
    settings = {"lr": 0.1, "beta1": 0.8, "beta2": 0.95}
    for k, w in enumerate(run(AdamW(weight_decay=0.3, **settings), kernels)):
        theta, m, v = 1.0, 0.0, 0.0
        for t, g in enumerate(gradients(k), start=1):
            m = 0.8 * m + (1 - 0.8) * g
            v = 0.95 * v + (1 - 0.95) * g * g
            theta = theta * (1 - 0.1 * 0.3) - 0.1 * (m / (1 - 0.8**t)) / (sqrt(v / (1 - 0.95**t)) + 1e-8)
        assert w == pytest.approx(theta, rel=3e-6)


@each_backend
def test_the_decay_of_the_others_is_a_part_of_the_gradient(kernels: Backend) -> None:
    decayed = zip(*(run(kind(lr=0.1, weight_decay=0.3), kernels) for kind in (SGD, Momentum)), strict=True)
    for k, (plain, heavy) in enumerate(decayed):
        want, other, velocity = 1.0, 1.0, 0.0
        for g in gradients(k):
            want -= 0.1 * (g + 0.3 * want)
            velocity = 0.9 * velocity + g + 0.3 * other
            other -= 0.1 * velocity
        assert (plain, heavy) == (pytest.approx(want, rel=1e-6), pytest.approx(other, rel=2e-6))


@each_backend
@pytest.mark.parametrize("name", NAMES)
def test_decay_acts_on_the_parts_that_are_given(kernels: Backend, name: str) -> None:
    size = 2 * PIECE + 7
    part = slice(3, PIECE + 5)
    found = []
    for decayed in (None, [part], []):
        w = normal(size)
        state = optimizer_from(name, weight_decay=0.5).start(size, kernels, decayed)
        for seed in range(2):
            state.step(w, normal(size, seed=seed), 0.5)
        found.append(w)
    everywhere, some, nowhere = found
    assert some[part].tobytes() == everywhere[part].tobytes()
    assert some[: part.start].tobytes() == nowhere[: part.start].tobytes()
    assert some[part.stop :].tobytes() == nowhere[part.stop :].tobytes()
    assert (everywhere != nowhere).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("decay", [0, 0.3])
def test_all_backends_take_steps_of_the_same_bits(name: str, decay: float) -> None:
    """None of these operations depends on a library's function, so even numpy's own backend has no bits of its own."""
    found = set()
    for kernels in BACKENDS:
        w = normal(1000)
        state = optimizer_from(name, weight_decay=decay).start(w.size, kernels)
        for seed in range(3):
            state.step(w, normal(w.size, seed=seed), 1 / 7)
        found.add(w.tobytes())
    assert len(found) == 1


@each_backend
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("decay", [0, 0.3])
def test_steps_from_one_vector_to_another_are_those_in_place(kernels: Backend, name: str, decay: float) -> None:
    in_place, here, there = normal(1000), normal(1000), np.full(1000, np.nan, np.float32)
    optimizer = optimizer_from(name, weight_decay=decay)
    one, two = (optimizer.start(in_place.size, kernels, [slice(3, 700)]) for _ in range(2))
    for seed in range(3):
        gradient, before = normal(in_place.size, seed=seed), here.copy()
        one.step(in_place, gradient, 1 / 7)
        two.step(here, gradient, 1 / 7, there)
        assert here.tobytes() == before.tobytes()
        assert there.tobytes() == in_place.tobytes()
        here, there = there, here


@each_backend
def test_the_first_step_of_adam_has_the_length_lr(kernels: Backend) -> None:
    w = np.zeros(3, np.float32)
    Adam(lr=0.01).start(3, kernels).step(w, np.array([1e-3, -5, 0], np.float32), 1.0)
    np.testing.assert_allclose(w, [-0.01, 0.01, 0], rtol=2e-5)


@each_backend
@pytest.mark.parametrize("name", NAMES)
@given(size=st.sampled_from([1, 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]))
def test_every_value_is_reached_and_the_gradient_left_alone(kernels: Backend, name: str, size: int) -> None:
    w, g = np.zeros(size, np.float32), np.ones(size, np.float32)
    g.flags.writeable = False
    optimizer_from(name).start(size, kernels).step(w, g, 0.5)
    assert (w < 0).all()
    assert len(np.unique(w)) == 1


@each_backend
@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_state_goes_on_as_if_never_stopped(kernels: Backend, name: str) -> None:
    optimizer = optimizer_from(name)
    straight, broken = np.zeros(9, np.float32), np.zeros(9, np.float32)
    state, first = optimizer.start(9, kernels), optimizer.start(9, kernels)
    for seed in range(2):
        state.step(straight, normal(9, seed=seed), 1.0)
        first.step(broken, normal(9, seed=seed), 1.0)
    second = optimizer.start(9, kernels)
    second.load({key: tensor.copy() for key, tensor in first.tensors().items()}, first.steps)
    state.step(straight, normal(9, seed=7), 1.0)
    second.step(broken, normal(9, seed=7), 1.0)
    assert straight.tobytes() == broken.tobytes()
    assert second.steps == 3


def test_the_vectors_of_a_state() -> None:
    kernels = numpy_backend()
    assert SGD().start(2, kernels).tensors() == {}
    assert list(Momentum().start(2, kernels).tensors()) == ["velocity"]
    state = Adam().start(2, kernels)
    assert {key: t.tolist() for key, t in state.tensors().items()} == {"m": [0, 0], "v": [0, 0]}
    with pytest.raises(ValueError, match=r"\['m', 'v'\], got \['m'\]"):
        state.load({"m": aligned(2)}, 1)
    with pytest.raises(ValueError, match="v has shape"):
        state.load({"m": aligned(2), "v": aligned(3)}, 1)
    assert state.steps == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_state_chooses_its_backend_where_none_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", "numpy")
    one, other = np.ones(3, np.float32), np.ones(3, np.float32)
    optimizer_from(name).start(3).step(one, normal(3), 1.0)
    optimizer_from(name).start(3, numpy_backend()).step(other, normal(3), 1.0)
    assert one.tobytes() == other.tobytes()


@each_backend
def test_the_learning_rate_may_change(kernels: Backend) -> None:
    w, state = np.zeros(1, np.float32), SGD(lr=1).start(1, kernels)
    state.step(w, np.ones(1, np.float32), 1.0)
    state.lr = 0.25
    state.step(w, np.ones(1, np.float32), 1.0)
    assert w == -1.25


@each_backend
@pytest.mark.parametrize("name", NAMES)
def test_a_step_too_far_is_taken_without_a_word(kernels: Backend, name: str) -> None:
    """What is no longer finite is noticed in the next loss; warnings, which are errors here, would only repeat it."""
    largest = float(np.finfo(np.float32).max)
    w, g = np.full(3, largest, np.float32), np.full(3, -1e18, np.float32)
    state = optimizer_from(name, lr=largest).start(w.size, kernels)
    for _ in range(3):
        state.step(w, g, 1.0)
    assert not np.isfinite(w).any()


@each_backend
@pytest.mark.parametrize("name", NAMES)
def test_a_step_from_nowhere_is_taken_without_a_word(kernels: Backend, name: str) -> None:
    """An infinity minus an infinity is invalid, which is another warning than an overflow."""
    w, g = np.full(3, np.inf, np.float32), np.full(3, np.inf, np.float32)
    optimizer_from(name).start(w.size, kernels).step(w, g, 1.0)
    assert np.isnan(w).all()


@each_backend
@pytest.mark.parametrize("name", NAMES)
def test_a_step_allocates_nothing(kernels: Backend, name: str) -> None:
    w, g = normal(100_000), normal(100_000)
    state = optimizer_from(name).start(w.size, kernels)
    state.step(w, g, 1.0)
    tracemalloc.start()
    try:
        state.step(w, g, 1.0)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        state.step(w, g, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 32 * 1024  # a vector is 400 KB


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [(n, "lr", v) for n in NAMES for v in (0, -1.0, nan, inf, True, "1", 1e300, 1e-300)]
    + [(n, "weight_decay", v) for n in NAMES for v in (-0.1, nan, inf, True, "1", 1e300)]
    + [("rmsprop", "alpha", v) for v in (-0.1, 1, nan)]
    + [("momentum", "momentum", v) for v in (-0.1, 1, nan)]
    + [("adam", s, v) for s in ("beta1", "beta2") for v in (-0.1, 1.0, nan, inf)]
    + [("adam", "epsilon", v) for v in (0, -1e-8, nan, inf, 3.5e38, 1e-38)],
)
def test_settings_out_of_range(name: str, setting: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{setting} must be .*, got {re.escape(repr(value))}"):
        optimizer_from(name, **{setting: value})


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [(n, "lr", v) for n in NAMES for v in (TINY, HUGE)]
    + [("adam", "epsilon", v) for v in (TINY, HUGE)]
    + [(n, s, v) for n, s in (("momentum", "momentum"), ("adam", "beta1"), ("adam", "beta2")) for v in (0, 1 - 2**-53)],
)
def test_settings_at_the_ends_of_their_ranges(name: str, setting: str, value: float) -> None:
    assert getattr(optimizer_from(name, **{setting: value}), setting) == value


def test_optimizers_by_name() -> None:
    assert optimizer_from("sgd") == SGD(lr=0.01)
    assert optimizer_from("momentum", momentum=0.5) == Momentum(lr=0.01, momentum=0.5)
    assert optimizer_from("adam", lr=1) == Adam(lr=1, beta1=0.9, beta2=0.999, epsilon=1e-8)
    assert optimizer_from("adamw") == AdamW(lr=0.001, weight_decay=0.01)
    assert optimizer_from("adam") != optimizer_from("adamw", weight_decay=0)
    with pytest.raises(SettingsError, match=f"no optimizer 'lion'; there are {', '.join(NAMES)}"):
        optimizer_from("lion")
    with pytest.raises(SettingsError, match="sgd has no 'momentum'; its settings are lr, weight_decay"):
        optimizer_from("sgd", momentum=0.9)
