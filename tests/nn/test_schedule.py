"""Schedules against the formulas of the papers, written down with the C library's cosine."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingsError
from engine.nn.schedule import Schedule
from engine.settings import Settings
from engine.settings.schedule import SCHEDULES

KINDS = st.sampled_from(SCHEDULES)


def test_constant_is_the_rate_itself() -> None:
    assert {Schedule("constant", 0.3, 10).rate(step) for step in range(1, 30)} == {0.3}


@given(steps=st.integers(1, 50), warmup=st.integers(0, 20), low=st.sampled_from([0.0, 0.01]))
def test_cosine_and_linear(steps: int, warmup: int, low: float) -> None:
    cosine = Schedule("cosine", 0.5, steps + warmup, warmup, low)
    linear = Schedule("linear", 0.5, steps + warmup, warmup, low)
    for step in range(1, steps + warmup + 4):
        if step <= warmup:
            want = along = 0.5 * step / warmup
        else:
            part = min((step - 1 - warmup) / steps, 1)
            want, along = low + (0.5 - low) * (1 + math.cos(math.pi * part)) / 2, 0.5 + (low - 0.5) * part
        assert cosine.rate(step) == pytest.approx(want, rel=1e-12, abs=1e-16)
        assert linear.rate(step) == pytest.approx(along, rel=1e-12, abs=1e-16)


def test_the_first_step_after_the_warm_up_has_the_whole_rate() -> None:
    for kind in ("constant", "cosine", "linear", "step"):
        schedule = Schedule(kind, 0.3, 40, 10)
        assert [schedule.rate(step) for step in (1, 5, 10, 11)] == [0.03, 0.15, 0.3, 0.3]


def test_steps_that_fall() -> None:
    schedule = Schedule("step", 1.0, 9, None, 0.05, decay_every=3, decay_factor=0.5)
    assert [schedule.rate(step) for step in range(1, 19)] == [
        *[1] * 3, *[0.5] * 3, *[0.25] * 3, *[0.125] * 3, *[0.0625] * 3, *[0.05] * 3
    ]  # fmt: skip


@pytest.mark.parametrize(("steps", "warmup", "top"), [(100, None, 29), (100, 10, 9), (40, None, 11)])
def test_one_cycle(steps: int, warmup: int | None, top: int) -> None:
    schedule = Schedule("onecycle", 0.5, steps, warmup)
    for done in range(steps + 3):
        if done <= top:
            start, end, part = 0.5 / 25, 0.5, done / top
        else:
            start, end, part = 0.5, 0.5 / 250_000, min((done - top) / (steps - 1 - top), 1)
        want = end + (start - end) * (1 + math.cos(math.pi * part)) / 2
        assert schedule.rate(done + 1) == pytest.approx(want, rel=1e-12)
    assert Schedule("onecycle", 0.5, steps, warmup, min_lr=0.25).rate(steps) == 0.25


@given(kind=KINDS, steps=st.integers(1, 8), warmup=st.none() | st.integers(0, 7))
def test_a_rate_is_never_above_lr_and_never_below_0(kind: str, steps: int, warmup: int | None) -> None:
    schedule = Schedule(kind, 0.5, steps, None if warmup is None or warmup >= steps else warmup)
    assert all(0 <= schedule.rate(step) <= 0.5 for step in range(1, 20))


def test_reductions_multiply_what_the_schedule_says() -> None:
    schedule = Schedule("linear", 1.0, 10, 2, 0.2)
    assert schedule.rate(5, 1) == pytest.approx(schedule.rate(5) * 0.1) or schedule.rate(5, 1) == 0.2
    assert schedule.rate(5, 1) == 0.2, "not below min_lr"
    assert Schedule("constant", 1.0).rate(7, 2) == pytest.approx(0.01)
    assert Schedule("constant", 1.0, warmup=10, min_lr=0.5).rate(1, 3) == pytest.approx(0.1), "the rise begins below it"


def planned(**given: object) -> Settings:
    return Settings.build(given).resolved().planned(100)


def test_a_schedule_spans_the_whole_run() -> None:
    assert planned(schedule="cosine", steps=7).schedule_steps == 7
    assert planned(schedule="linear", epochs=2, batch_size=30).schedule_steps == 8
    assert planned(schedule="onecycle", steps=7, schedule_steps=9).schedule_steps == 9
    assert planned(schedule="step", steps=7).decay_every == 3
    assert planned(schedule="step", time_limit=2.0, decay_every=5).schedule_steps is None
    assert planned(schedule="constant", steps=7).schedule_steps is None
    assert planned(schedule="cosine", time_limit=2.0, schedule_steps=50).last_step(100) == 50, "it ends at 0"
    assert planned(schedule="cosine", steps=7).planned(100) == planned(schedule="cosine", steps=7)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schedule": "cosine", "time_limit": 2.0}, "schedule cosine must know where it ends: also give --steps"),
        ({"schedule": "step", "target": 50.0}, "schedule step must know where it ends"),
        ({"schedule": "linear", "steps": 5, "warmup": 5}, "warmup must be below the 5 steps of the schedule, got 5"),
        ({"schedule": "cosine", "steps": 9, "schedule_steps": 5}, "ends at step 5 with a learning rate of 0"),
        ({"min_lr": 0.5, "lr": 0.1}, "min-lr must be at most the learning rate, 0.1, got 0.5"),
        ({"schedule": "cosin"}, "schedule must be one of constant, cosine, linear, step, onecycle, got 'cosin'"),
    ],
)
def test_schedules_that_cannot_be(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        planned(**given)
