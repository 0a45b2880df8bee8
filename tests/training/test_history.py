"""`Result.history`: the steps of a run as a sequence, which is in the database and nowhere else."""

import math
import os
from pathlib import Path

import pytest

import engine
from engine.errors import RecordsError
from engine.records import Recorder, RunRow, RunStatus, TrainingRow, remove_runs
from engine.training.history import History
from engine.training.reporter import StepReport

PATH = Path("r.db")


@pytest.fixture
def history() -> History:
    """Ten steps of two images each; the last was not finite, and the fourth took four seconds in place of one."""
    run = RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7)
    with Recorder(PATH) as records:
        records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7))
        records.training(TrainingRow(5, 0.5, 0, 7.0, 0, 50.0, 9.0, 2, 0.1))
        records.finish(RunStatus.FINISHED)
        number = records.begin(run)
        for step in range(1, 11):
            loss = math.nan if step == 10 else 1 / step
            elapsed = step + (3.0 if step >= 4 else 0.0)
            records.training(TrainingRow(step, step / 10, 0, elapsed, 0, 100 / step, loss, 2, 0.1))
        records.finish(RunStatus.FINISHED)
    return History(PATH.absolute(), number, run.uuid)


def test_it_is_the_sequence_of_the_steps(history: History) -> None:
    steps = list(history)
    assert (len(history), history.run) == (10, 2)
    assert [s.step for s in steps] == list(range(1, 11))
    assert steps[3] == StepReport(4, 0.4, 0.25, 25.0, 2, 0.5, 7.0)
    assert [s.images_per_second for s in steps] == [2.0, 2.0, 2.0, 0.5, *[2.0] * 6]
    assert math.isnan(steps[-1].loss)
    assert steps[4] in history


@pytest.mark.parametrize(
    "chosen",
    [slice(None), slice(3), slice(-3, None), slice(2, 8, 3), slice(None, None, -1), slice(8, 2, -4), slice(20, 30)],
)
def test_slices_and_indices_are_those_of_a_list(history: History, chosen: slice) -> None:
    numbers = list(range(1, 11))
    assert [s.step for s in history[chosen]] == numbers[chosen]
    for index in (0, 3, -1, -10):
        assert history[index].step == numbers[index]
    for index in (10, -11):
        with pytest.raises(IndexError):
            history[index]


def test_it_is_found_from_another_folder_and_after_later_runs(history: History) -> None:
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    assert len(history) == 10


def test_a_database_that_was_moved(history: History) -> None:
    PATH.rename("other.db")
    for use in (lambda: len(history), lambda: list(history), lambda: history[0]):
        with pytest.raises(RecordsError, match=r"history of run 2 is in database .*r.db, which no longer exists"):
            use()
    Path("other.db").rename(PATH)
    assert len(history) == 10


def test_a_run_that_was_deleted_or_is_another(history: History) -> None:
    with pytest.raises(RecordsError, match="no longer holds run 2"):
        len(History(history.path, 2, "0" * 32))
    remove_runs(PATH, [2])
    with pytest.raises(RecordsError, match=r"r.db no longer holds run 2: the run was deleted, or the file repl"):
        list(history)


def test_a_resumed_run_has_the_steps_from_before() -> None:
    model = engine.Model((engine.Flatten(), engine.Dense(26)))
    data = engine.load_data("letters")
    part = engine.Dataset(data.name, data.classes, _first(data.train, 60), _first(data.test, 10))
    engine.train(model, part, workers=0, batch_size=20, steps=4, out="out", db="r.db")
    result = engine.train(data=part, resume="out", workers=0, steps=6)
    assert (result.steps_taken, [s.step for s in result.history]) == (2, [1, 2, 3, 4, 5, 6])


def _first(split: engine.Split, count: int) -> engine.Split:
    return engine.Split(split.images[:count], split.labels[:count])
