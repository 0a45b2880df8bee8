"""Sweeps and trials: what is written is read, an older database takes them, a deleted run takes its trial along."""

import math
import os
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RecordsError
from engine.records import (
    Point,
    Recorder,
    RunRow,
    RunStatus,
    SweepRow,
    TrialRow,
    TrialStatus,
    ValidationRow,
    check_idle,
    find_sweep,
    read_trials,
    remove_runs,
)
from engine.records.delivery import LockedError
from engine.records.writer_thread import WriterThread
from engine.system.clock import MONOTONIC

DB = Path("r.db")
SWEEP = SweepRow(
    uuid="5" * 32,
    name="mine",
    over={"lr": "1e-4:1:log", "optimizer": "sgd,adam"},
    sampler="random",
    trials=20,
    prune_after=5,
    seed=2**63 - 1,
    settings={"epochs": 3, "lr": 1e-5},
    model="mlp",
    models={"mlp": {"layers": [{"type": "Flatten"}]}},
    data=None,
    data_digest="ab",
    folder="/a\udcff",
)


def run(uuid: str) -> RunRow:
    return RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid=uuid)


def write() -> None:
    with Recorder(DB) as records:
        assert records.begin_sweep(SWEEP) == 1
        for number, uuid in enumerate("ab", 1):
            records.trial(TrialRow(1, number, records.begin(run(uuid)), '{"lr": 0.1}', TrialStatus.RUNNING))
            for n in (1, 2):
                records.validation(ValidationRow(10 * n, n / 2, 0, 0, 0, 40.5 + n, 1.0))
            records.finish(RunStatus.FINISHED, "why not", params_sha256=f"sha {uuid}")
            records.trial(TrialRow(1, number, number, '{"lr": 0.1}', TrialStatus.FINISHED, 42.5, 20))


def test_what_is_written_is_read() -> None:
    write()
    number, found = find_sweep(DB, "mine")
    assert (number, found) == (1, replace(SWEEP, folder="/a\\udcff"))
    assert find_sweep(DB, "1") == (number, found)
    trials = read_trials(DB, 1)
    assert list(trials) == [1, 2]
    assert trials[2].row == TrialRow(1, 2, 2, '{"lr": 0.1}', TrialStatus.FINISHED, 42.5, 20)
    assert trials[2].curve == (Point(0.5, 10, 41.5), Point(1.0, 20, 42.5))
    assert (trials[2].reason, trials[2].params_sha256) == ("why not", "sha b")
    assert read_trials(DB, 1, 2) == {2: trials[2]}
    assert read_trials(DB, 2) == {}
    with Recorder(DB) as records:
        records.extend_sweep(1, 30)
    assert find_sweep(DB, "1")[1].trials == 30


def test_names_are_given_once_and_sweeps_need_none() -> None:
    with Recorder(DB) as records:
        records.begin_sweep(SWEEP)
        with pytest.raises(RecordsError, match="there is a sweep 'mine' already"):
            records.begin_sweep(SWEEP)
        unnamed = [records.begin_sweep(replace(SWEEP, name=None)) for _ in range(2)]
        assert unnamed == [2, 3]
    with pytest.raises(RecordsError, match=r"there is no sweep 'x' in database r.db; it has 1 \('mine'\), 2, 3"):
        find_sweep(DB, "x")


def test_a_database_from_before_there_were_sweeps() -> None:
    with Recorder(DB) as records:
        records.begin(run("old"))
        records.finish(RunStatus.FINISHED)
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.executescript("DROP TABLE sweeps; DROP TABLE trials; PRAGMA user_version = 2")
    with pytest.raises(RecordsError, match=r"there is no sweep .1. in database r\.db; it has none"):
        find_sweep(DB, "1")
    with Recorder(DB) as records:
        assert records.begin_sweep(SWEEP) == 1
    assert find_sweep(DB, "1")[0] == 1


def test_a_deleted_run_takes_its_trial_with_it() -> None:
    write()
    remove_runs(DB, [1])
    assert list(read_trials(DB, 1)) == [2]
    assert find_sweep(DB, "mine")[0] == 1


def test_a_sweep_is_idle_unless_another_process_runs_a_trial() -> None:
    write()
    check_idle(DB, 1)
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.execute("UPDATE runs SET state = 'running' WHERE startID = 2")
    check_idle(DB, 1)  # it is this process's own
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.execute("UPDATE runs SET pid = ?, process = NULL WHERE startID = 2", (os.getppid(),))
    with pytest.raises(RecordsError, match=rf"sweep 1 .* is still running: trial 2, process {os.getppid()}; stop it"):
        check_idle(DB, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sweeps SET over = 'lr=1'", "sweep 1: the database has for its over no JSON object, but 'lr=1'"),
        ("sweeps SET settings = '[1]'", "sweep 1: the database has for its settings no JSON object, but '[1]'"),
        ("trials SET parameters = ''", "trial 1 of sweep 1: the database has for its parameters no JSON object"),
        ("trials SET state = 'done'", "trial 1 of sweep 1 has an unknown state in the database: 'done'"),
    ],
)
def test_what_somebody_else_wrote_is_refused_in_words(change: str, message: str) -> None:
    write()
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE {change}")
    with pytest.raises(RecordsError, match=re.escape(message)):
        read_trials(DB, find_sweep(DB, "1")[0])


def test_how_a_trial_ended_is_written_when_a_run_is_to_end_and_the_database_is_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is asked would say at once that the run is to end, and the trial stay "running"."""
    write()
    [trial] = read_trials(DB, 1, 2).values()
    plain, locks = WriterThread._answer, [LockedError("locked", MONOTONIC.now())]

    def answer(self: WriterThread, work: Any) -> Any:
        if locks:
            raise locks.pop()
        return plain(self, work)

    with Recorder(DB, ask=lambda: pytest.fail("asked")) as records:
        monkeypatch.setattr(WriterThread, "_answer", answer)
        records.trial(trial.row._replace(state=TrialStatus.INTERRUPTED))
    [again] = read_trials(DB, 1, 2).values()
    assert (again.row.state, locks) == (TrialStatus.INTERRUPTED, [])


def test_a_score_whose_loss_is_nan_is_none() -> None:
    write()
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.execute("UPDATE validation SET avgloss = NULL WHERE batchno = 20")
    curve = read_trials(DB, 1, 2)[2].curve
    assert [math.isnan(point.score) for point in curve] == [False, True]
