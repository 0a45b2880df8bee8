"""Patience and plateaus: what counts as a wait, what is done about it, and that a stop in between changes nothing."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import checkpoint
from engine.errors import CheckpointError
from engine.training.prepare import Request, choose_settings, prepare
from engine.training.reporter import StepReport
from engine.training.run import Run
from engine.training.stopping import StopKind, StopReason
from engine.training.waiting import Waiting
from tests.support.command import save_data
from tests.training.test_best import Scripted
from tests.training.test_loop import MODEL, NoRecords, loop_of, made_up, run_of

SCORES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, float("nan")]), max_size=30)


@given(SCORES, st.integers(0, 4))
def test_counts_are_those_of_a_look_back(scores: list[float], plateau: int) -> None:
    waiting, reduced = Waiting(), []
    for number, score in enumerate(scores):
        if waiting.take(score, plateau):
            reduced.append(number)
    numbers = [score for score in scores if score == score]  # noqa: PLR0124 - nan is none
    best = scores.index(max(numbers)) if numbers else -1
    assert waiting.stale == len(scores) - 1 - best
    assert waiting.reductions == len(reduced)
    since = max([best, *reduced])
    assert waiting.flat == len(scores) - 1 - since
    assert all(b - a >= plateau for a, b in pairwise(reduced))
    assert Waiting.from_dict(waiting.asdict()) == waiting


@pytest.mark.parametrize(
    "stored", [{}, {"best": "x", "stale": 0, "flat": 0, "reductions": 0}, Waiting(1.0, -1).asdict(), {"best": 1.0}]
)
def test_what_is_no_wait(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not the counters of a wait"):
        Waiting.from_dict(stored)


class Rates(NoRecords):
    """Keeps the learning rate of every step."""

    def __init__(self, journal: Scripted) -> None:
        super().__init__(journal)
        self.rates: list[float] = []

    def training(self, row: Any) -> None:
        self.rates.append(row.lr)


def taken(run: Run, correct: list[int]) -> tuple[StopReason, list[float], Scripted]:
    journal = Scripted(dict(enumerate(correct, 1)))
    rates = Rates(journal)
    with loop_of(run, journal, records=rates) as loop:
        return loop.train(), rates.rates, journal


def resumed(**settings: Any) -> Run:
    earlier = checkpoint.load(Path("out"))
    request = Request(MODEL, made_up(), resume=Path("out"), settings=settings)
    return prepare(request, choose_settings(settings, earlier), earlier)


PLATEAU = {"validate_every": 1, "plateau": 2, "decay_factor": 0.5, "lr": 1.0, "optimizer": "sgd", "min_lr": 0.2}
CORRECT = [1, 2, 2, 1, 2, 3, 3, 3, 2, 1, 0, 0]
WANTED = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]


def test_the_rate_is_reduced_on_a_plateau() -> None:
    _, rates, journal = taken(run_of(steps=12, **PLATEAU), CORRECT)
    assert rates == WANTED
    assert journal.heard.count("event reduced") == 4


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_plateau_is_the_same_if_the_run_is_resumed_in_it(stop: int) -> None:
    _, before, _ = taken(run_of(steps=stop, **PLATEAU), CORRECT)
    _, after, _ = taken(resumed(steps=12), CORRECT)
    assert before + after == WANTED


def test_a_validation_that_is_not_due_has_no_part_in_it() -> None:
    settings = PLATEAU | {"validate_every": 2, "plateau": 1}
    scores = [9, 2, 0, 2, 4, 3, 9, 3]
    _, whole, _ = taken(run_of(steps=8, **settings), scores)
    assert whole == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    shutil.rmtree("out")
    _, before, _ = taken(run_of(steps=5, **settings), scores)  # validated after 5 steps, but not for this
    _, after, _ = taken(resumed(steps=8), scores)
    assert before + after == whole


def test_with_a_plateau_validations_stay_where_they_are() -> None:
    taken(run_of(steps=2, **PLATEAU), CORRECT)
    with pytest.raises(CheckpointError, match="the run began with validate-every 1, not 2"):
        resumed(steps=4, validate_every=2)


@pytest.mark.parametrize(("patience", "last"), [(1, 3), (2, 4), (3, 10), (4, 11), (5, 12)])
def test_patience(patience: int, last: int) -> None:
    scores = [1, 3, 3, 2, 4, 4, 5, 5, 4, 3, 2, 6]
    stop, rates, _ = taken(run_of(steps=12, validate_every=1, patience=patience), scores)
    assert len(rates) == last
    if last < 12:
        assert stop == StopReason(StopKind.PATIENCE, f"{patience} validations in a row were no better")


def test_patience_lasts_over_a_stop() -> None:
    scores = [1, 3, 3, 2, 2, 9]
    taken(run_of(steps=3, validate_every=1, patience=3), scores)
    stop, rates, _ = taken(resumed(steps=6, patience=3), scores)
    assert (stop.kind, len(rates)) == (StopKind.PATIENCE, 2)


def test_patience_is_an_end() -> None:
    assert engine.Settings(patience=3).resolved().epochs is None


class Enough(engine.Reporter):
    def step(self, report: StepReport, workers: list[Any]) -> None:
        if report.step == 3:
            self.stop("that will do")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_reporter_may_stop_the_run(workers: int, numpy_kernels: None) -> None:
    save_data()
    options: dict[str, Any] = {"batch_size": 4, "microbatch": 2, "snapshot_first": 0, "snapshot_every": 0}
    reporter = Enough()
    for out in ("one", "two"):  # a reporter may watch more than one run
        result = engine.train("mlp", "data.npz", reporter=reporter, workers=workers, out=out, db="r.db", **options)
        assert (result.state, result.reason, result.steps) == ("finished", "that will do", 4)
        assert result.validation is not None
        assert result.validation.step == 4
        assert result.checkpoint.name == "step-00000004.safetensors"
