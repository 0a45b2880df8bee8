"""Speed and parts of a step: of all steps of a short run, and without the first ones of a longer one."""

import pytest

from engine.coordinator.source import Timing
from engine.training.progress import Progress
from engine.training.step_times import WARM_UP, StepTimes


def taken(seconds: list[float]) -> StepTimes:
    """Return the times after steps of 8 images that took so many seconds, half of them computing, a quarter ADAM."""
    progress, timing = Progress(steps_per_epoch=5), Timing()
    times = StepTimes(progress, timing)
    for whole in seconds:
        timing.add(whole / 2, whole / 2, 0.0)
        progress.taken += 1
        progress.images += 8
        progress.seconds += whole
        progress.optimizer_seconds += whole / 4
        times.settled()
    return times


@pytest.mark.parametrize("first", [1.0, 64.0])
def test_first_steps_do_not_count_once_there_are_more(first: float) -> None:
    times = taken([first] * WARM_UP + [0.5, 1.5])
    assert times.images_per_second() == 8
    assert times.ms() == {"compute": 500, "reduce": 0, "wire": 0, "optimizer": 250, "other": 250}


@pytest.mark.parametrize("steps", [1, WARM_UP])
def test_a_short_run_has_no_others(steps: int) -> None:
    times = taken([2.0] * steps)
    assert times.images_per_second() == 4
    assert times.ms()["compute"] == 1000


def test_no_step() -> None:
    times = taken([])
    assert times.images_per_second() == 0
    assert set(times.ms().values()) == {0.0}
