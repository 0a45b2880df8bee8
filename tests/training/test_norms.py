"""Which norms are suspicious: against a list of all norms, and by examples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.norms import BUDGET, TIMES, WINDOW, Norms

SIZES = st.floats(0.0, 1e30)


def usual(norms: list[float]) -> float:
    return float(np.median(norms[-WINDOW:]))


@settings(deadline=None)
@given(st.lists(SIZES | st.sampled_from([1.0, 99.0, 101.0]), min_size=1, max_size=300), st.booleans())
def test_a_norm_is_suspicious_if_it_is_above_a_hundred_times_the_median(values: list[float], wrong: bool) -> None:
    """`wrong`: each that is suspected was wrong, and is replaced by the median; else it was right."""
    norms, taken, false_alarms = Norms(), list[float](), 0
    for value in values:
        times = norms.suspect(value)
        allowed = bool(taken) and false_alarms < max(1, len(taken) // BUDGET)
        expected = allowed and value > TIMES * usual(taken)
        assert (times is not None) == expected
        if times is not None:
            assert times > TIMES
            assert not taken or usual(taken) == 0 or times == value / usual(taken)
            if wrong:
                value = usual(taken)  # noqa: PLW2901 - what is computed again
            else:
                norms.false_alarm()
                false_alarms += 1
        norms.take(value)
        taken.append(value)


@pytest.mark.parametrize("steps", [50, 1000])
def test_at_most_one_percent_of_the_steps_is_suspected_for_nothing(steps: int) -> None:
    norms, alarms = Norms(), 0
    for step in range(steps):
        if norms.suspect(1000.0 if step % 3 == 1 else 1.0):
            norms.false_alarm()
            alarms += 1
        norms.take(1000.0 if step % 3 == 1 else 1.0)
    assert alarms == max(1, (steps - 1) // 100)


def test_a_liar_cannot_use_up_what_is_allowed() -> None:
    norms = Norms()
    norms.take(1.0)
    for _ in range(50):
        assert norms.suspect(1e6) == 1e6
        norms.take(1.0)


def test_after_a_gradient_of_zero_any_other_is_suspicious() -> None:
    norms = Norms()
    norms.take(0.0)
    assert norms.suspect(1e-3) == math.inf
    assert norms.suspect(0.0) is None


def test_a_median_does_not_follow_the_first_large_norms() -> None:
    norms = Norms()
    for _ in range(10):
        norms.take(1.0)
    for _ in range(5):
        norms.take(99.0)
    assert norms.suspect(101.0) == 101.0
