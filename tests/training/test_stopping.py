"""When a run stops, and in which order reasons count."""

from typing import Any

import pytest

from engine.compute.validation import Validation
from engine.settings import Settings
from engine.system.clock import TimeLimit
from engine.system.signals import Interrupt
from engine.training.progress import Progress
from engine.training.stopping import StopKind, Stopping, StopReason
from tests.support.fakes import FakeClock

PRUNED = StopReason(StopKind.PRUNED, "pruned: there is no hope")


def progress(step: int, validated: int | None = None, correct: int = 50) -> Progress:
    """Return how far a run of 10 steps an epoch is, whose newest validation had so many percent."""
    seen = Progress(10, step)
    if validated is not None:
        seen.validated(Validation(validated, correct, 100, 1.0))
    return seen


def stopping(last_step: int | None = None, requested: str = "", spent: float = 0.0, **settings: Any) -> Stopping:
    clock, interrupt = FakeClock(), Interrupt()
    limit = TimeLimit(clock, settings.get("time_limit"))
    limit.start()
    clock.time += spent
    interrupt.requested = requested
    return Stopping(Settings(**settings), last_step, interrupt, limit)


def kind_of(reason: StopReason | None) -> StopKind | None:
    return reason.kind if reason else None


def test_without_an_end_there_is_no_reason() -> None:
    assert stopping().reason(progress(10**9, 10**9)) is None
    assert stopping().demand() is None


@pytest.mark.parametrize(("step", "kind"), [(6, None), (7, StopKind.LAST_STEP), (8, StopKind.LAST_STEP)])
def test_the_last_step(step: int, kind: StopKind | None) -> None:
    assert kind_of(stopping(7).reason(progress(step))) is kind


def test_the_target_counts_in_the_step_that_was_validated() -> None:
    rule = stopping(target=50.0)
    assert rule.reason(progress(4, 4)) == StopReason(StopKind.TARGET, "validation reached the target of 50 %")
    assert rule.reason(progress(5, 4)) is None
    assert rule.reason(progress(4, 4, correct=49)) is None
    assert rule.reason(progress(4)) is None


def test_signals_and_time() -> None:
    told = stopping(requested="SIGUSR1").reason(progress(1))
    assert told == StopReason(StopKind.INTERRUPTED, "it got SIGUSR1")
    late = stopping(time_limit=2.5, spent=2.5)
    assert late.reason(progress(1)) == StopReason(StopKind.TIME_LIMIT, "the time limit of 2.5 seconds is reached")
    assert stopping(time_limit=2.5, spent=2.4).reason(progress(1)) is None


def test_a_goal_that_is_reached_counts_over_a_signal_and_a_signal_over_time() -> None:
    done = stopping(7, requested="SIGINT", time_limit=1.0, spent=2.0)
    assert kind_of(done.reason(progress(7))) is StopKind.LAST_STEP
    assert kind_of(done.demand()) is StopKind.INTERRUPTED
    assert kind_of(done.reason(progress(6))) is StopKind.INTERRUPTED


def test_pruning_is_asked_with_the_epoch_and_the_best_after_a_validation_only() -> None:
    asked: list[tuple[float, float | None]] = []

    def prune(epoch: float, best: float | None) -> StopReason | None:
        asked.append((epoch, best))
        return PRUNED if len(asked) > 1 else None

    rule = Stopping(Settings(), None, Interrupt(), TimeLimit(FakeClock(), None), prune)
    seen = progress(15, 15, correct=60)
    assert rule.reason(seen) is None
    seen.step = 16
    assert rule.reason(seen) is None
    seen.validated(Validation(16, 40, 100, 1.0))
    assert rule.reason(seen) == PRUNED
    assert asked == [(1.5, 60.0), (1.6, 60.0)]
