"""`engine.sweep`: trials on the same workers, each the run it would be alone, and the same again after a kill."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.checkpoint import held, load, params_sha256
from engine.coordinator.source import WorkerReport
from engine.errors import CheckpointError, RecordsError, SettingsError, StorageError, UsageError, WorkersError
from engine.records import remove_runs
from engine.records.status import TrialStatus
from engine.sweeps.trial import Trial
from engine.training.process import TrainingProcess
from engine.training.reporter import StepReport
from tests.support.command import PATIENCE, save_data

FAILED, FINISHED = TrialStatus.FAILED, TrialStatus.FINISHED
INTERRUPTED, PRUNED = TrialStatus.INTERRUPTED, TrialStatus.PRUNED
OVER: dict[str, str] = {"lr": "1e-4:1e-1:log", "optimizer": "sgd,momentum,adam"}
SMALL: dict[str, Any] = {"model": "mlp", "data": "data.npz", "workers": 0, "batch_size": 8, "microbatch": 4}
SWEEP: dict[str, Any] = SMALL | {"db": "r.db", "out": "out", "epochs": 3, "trials": 5, "prune_after": 2}


@pytest.fixture(autouse=True)
def data(tidy: Path) -> str:
    return save_data()


def rows(sql: str, db: str = "r.db") -> list[Any]:
    with closing(sqlite3.connect(db)) as connection:
        return connection.execute(sql).fetchall()


def table(db: str = "r.db") -> list[Any]:
    """Return all there is of trials that may not depend on what happened to the process, by plain SQL."""
    trials = rows(
        "SELECT t.number, t.parameters, t.state, t.value, t.step, r.name, r.state, r.reason, r.steps, r.params_sha256"
        " FROM trials t JOIN runs r USING (startID) ORDER BY t.number",
        db,
    )
    curves = "SELECT t.number, v.batchno, v.corperc, v.avgloss FROM trials t JOIN {} v USING (startID) ORDER BY 1, 2"
    return [trials, rows(curves.format("validation"), db), rows(curves.format("training"), db)]


def alone(parameters: Any, **more: Any) -> engine.Result:
    """Return what a run of its own, in one process, comes to."""
    return engine.train(**SMALL | {"epochs": 3, "db": "alone.db"} | dict(parameters) | more)


def test_trials_share_their_workers_and_each_is_the_run_it_would_be_alone() -> None:
    result = engine.sweep(OVER, **SWEEP | {"workers": 2})
    assert (result.state, result.sweep, len(result.trials)) == ("finished", 1, 5)
    assert {t.state for t in result.trials} == {FINISHED, PRUNED}
    pids = rows("SELECT startID, group_concat(DISTINCT pid) FROM (SELECT * FROM workers ORDER BY pid) GROUP BY startID")
    assert [run for run, _ in pids] == [t.run for t in result.trials] == [1, 2, 3, 4, 5]
    assert len({who for _, who in pids}) == 1, "no process was started anew"
    assert pids[0][1].count(",") == 1
    assert rows("SELECT count(*) FROM workers") == [(10,)], "nor did one come back"
    for trial in result.trials:
        assert trial.best
        if trial.state == FINISHED:
            same = alone(trial.parameters)
            assert same.params_sha256 == trial.params_sha256
            assert same.validation
            assert same.validation.percent == trial.curve[-1].score
    assert rows("SELECT count(*) FROM snapshots") == [(0,)], "unless they are asked for"


def test_who_is_pruned_is_below_the_median_and_nobody_else() -> None:
    engine.sweep(OVER, **SWEEP | {"trials": 9})
    curves: dict[int, dict[int, float]] = {}
    for number, step, percent in rows("SELECT number, batchno, corperc FROM trials JOIN validation USING (startID)"):
        curves.setdefault(number, {})[step] = percent
    states = dict(rows("SELECT number, state FROM trials"))
    for number, curve in curves.items():
        finished = [curves[n] for n in range(1, number) if states[n] == FINISHED]
        for step in (5, 10):  # the last validation ends a trial in any case
            if step in curve and len(finished) >= 2:
                best = max(percent for s, percent in curve.items() if s <= step)
                others = sorted(other[step] for other in finished)
                middle = (others[(len(others) - 1) // 2] + others[len(others) // 2]) / 2
                assert (best < middle) == (max(curve) == step), (number, step)
        assert (states[number] == PRUNED) == (max(curve) < 15)
    assert set(states.values()) == {FINISHED, PRUNED}
    reasons = rows("SELECT DISTINCT r.state, substr(reason, 1, 8) FROM runs r JOIN trials t USING (startID)"
                   " WHERE t.state = 'pruned'")  # fmt: skip
    assert reasons == [("finished", "pruned: ")]
    engine.sweep(OVER, **SWEEP | {"trials": 4, "prune_after": 0, "db": "0.db", "out": "0"})
    assert {state for (state,) in rows("SELECT state FROM trials", "0.db")} == {FINISHED}


def test_the_best_settings_give_the_best_trial_again() -> None:
    result = engine.sweep(OVER | {"dropout": "0,0.25"}, **SWEEP | {"seed": 11, "validate_every": 4})
    assert result.best
    assert result.config == Path("out/best.toml")
    values = [t.best.score for t in result.trials if t.state == FINISHED and t.best]
    assert result.best.best
    assert result.best.best.score == max(values)
    read = tomllib.loads(result.config.read_text())
    again = engine.train(**read, workers=0, db="again.db", out="again")
    assert result.checkpoint
    assert result.checkpoint.parent == Path(f"out/trial-{result.best.number}")
    assert again.params_sha256 == params_sha256(load(result.checkpoint).parameters)
    assert again.best
    assert (again.best.percent, again.best.step, again.steps) == (max(values), *[result.best.best.step] * 2)


def test_no_combination_is_tried_twice() -> None:
    over = {"lr": "0.001,0.01", "optimizer": "sgd,adam", "seed": "1:2"}
    result = engine.sweep(over, **SWEEP | {"trials": 50, "epochs": 1, "prune_after": 0})
    tried = [tuple(trial.parameters.values()) for trial in result.trials]
    assert len(tried) == len(set(tried)) == 8
    stopped = engine.sweep(over, **SWEEP | {"trials": 8, "epochs": 1, "prune_after": 0, "db": "s.db", "out": "s"},
                           reporter=Stopping(4, 2))  # fmt: skip
    assert len(stopped.trials) == 4
    again = engine.sweep(resume="1", db="s.db")
    assert [trial.parameters for trial in again.trials] == [trial.parameters for trial in result.trials]


def test_a_combination_that_is_tried_twice_for_want_of_others_is_told() -> None:
    heard: list[str] = []

    class Listening(engine.SweepReporter):
        def notice(self, text: str) -> None:
            heard.append(text)

    options = SWEEP | {"trials": 3, "steps": 1, "epochs": None, "prune_after": 0}
    engine.sweep({"seed": "1:2:log"}, **options, reporter=Listening())
    first, second, third = rows("SELECT parameters FROM trials ORDER BY number")
    assert first != second
    told = f"trial 3 repeats trial {1 if third == first else 2}: the sampler suggests the same again"
    assert [line for line in heard if "repeats" in line] == [told]


KILLED = """
import json, os, signal, sys
import engine
moment, options = json.loads(sys.argv[1]), json.loads(sys.argv[2])
class Kill(engine.SweepReporter):
    trial = None
    def at(self, *now):
        if list(now) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
    def trial_started(self, trial):
        self.trial = trial.number
    def step(self, report, workers):
        self.at(self.trial, report.step)
    def ended(self):
        self.at(self.trial, "ends")
    def trial_ended(self, trial):
        self.at(trial.number, "is over")
engine.sweep(reporter=Kill(), **options)
"""


def killed(moment: list[object], **options: Any) -> None:
    """Carry out a sweep in a process that gets SIGKILL at `moment`: a trial, and a step or what happens to it."""
    arguments = [sys.executable, "-c", KILLED, json.dumps(moment), json.dumps(options)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(
    ("moment", "sampler", "workers"),
    [
        ([3, 3], "random", 2),  # before its first checkpoint
        ([4, 9], "grid", 0),  # four steps after one
        ([4, "ends"], "tpe", 0),
        ([3, "is over"], "random", 0),
    ],
)
def test_a_sweep_that_was_killed_gives_the_same_trials(moment: list[object], sampler: str, workers: int) -> None:
    over = OVER | {"lr": "1e-4:1e-1:log:2"} if sampler == "grid" else OVER
    options = SWEEP | {"over": over, "sampler": sampler, "name": "mine", "checkpoint_every": 5}
    whole = engine.sweep(**options | {"db": "whole.db", "out": "whole"})
    killed(moment, **options | {"workers": workers})
    before = rows("SELECT number, startID FROM trials")
    result = engine.sweep(resume="mine", db="r.db", workers=0)
    assert table() == table("whole.db")
    assert rows("SELECT number, startID FROM trials")[: len(before)] == before, "the same run goes on"
    assert rows("SELECT count(*) FROM runs") == [(5,)]
    assert [t.asdict() for t in result.trials] == [t.asdict() for t in whole.trials]
    assert (result.best, result.state) == (whole.best, "finished")
    assert Path("out/best.toml").read_text() == Path("whole/best.toml").read_text()


class Stopping(engine.SweepReporter):
    """Does `action` in a step of a trial."""

    def __init__(self, trial: int, step: int, number: int = signal.SIGINT) -> None:
        self.moment = (trial, step)
        self.number = number
        self.trial = 0

    def trial_started(self, trial: Trial) -> None:
        self.trial = trial.number

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        if (self.trial, report.step) == self.moment:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU])
def test_a_signal_ends_a_sweep_that_then_goes_on(number: int) -> None:
    options = SWEEP | {"prune_after": 0}  # so that every trial has a last step
    whole = engine.sweep(OVER, **options | {"db": "whole.db", "out": "whole"})
    stopped = engine.sweep(OVER, **options, reporter=Stopping(2, 7, number))
    assert (stopped.state, [t.state for t in stopped.trials]) == ("interrupted", [FINISHED, INTERRUPTED])
    assert stopped.best == stopped.trials[0]
    assert rows("SELECT state FROM trials") == [(FINISHED,), (INTERRUPTED,)]
    assert rows("SELECT state, steps FROM runs") == [("finished", 15), ("interrupted", 8)]
    again = engine.sweep(resume="1", db="r.db", workers=1, reporter=Stopping(4, 15))
    assert again.trials == whole.trials[:4]
    assert again.trials[3].state == FINISHED, "a trial that is stopped in its last step is"
    assert again.state == "interrupted"
    assert engine.sweep(resume="1", db="r.db").state == "finished"
    assert table() == table("whole.db")


class Killing(engine.SweepReporter):
    """Kills a worker when trial 1 is over."""

    def trial_ended(self, trial: Trial) -> None:
        if trial.number == 1:
            [(pid,)] = rows("SELECT pid FROM workers ORDER BY pid LIMIT 1")
            os.kill(pid, signal.SIGKILL)


def test_a_worker_that_is_killed_between_two_trials_is_replaced() -> None:
    engine.sweep(OVER, **SWEEP | {"db": "whole.db", "out": "whole"})
    engine.sweep(OVER, **SWEEP | {"workers": 2}, reporter=Killing())
    assert table() == table("whole.db")
    pids = [set(map(int, who.split(","))) for (who,) in rows("SELECT group_concat(pid) FROM workers GROUP BY startID")]
    assert len(pids) == 5
    assert len(pids[0] & pids[4]) == 1


def test_a_trial_that_diverges_has_lost_and_the_sweep_goes_on() -> None:
    result = engine.sweep({"lr": "0.01,1e18,0.02"}, **SWEEP | {"sampler": "grid", "optimizer": "sgd", "workers": 1})
    assert [t.state for t in result.trials] == [FINISHED, FAILED, FINISHED]
    assert rows("SELECT state, substr(reason, 1, 14), steps IS NULL FROM runs")[1] == ("failed", "DivergedError:", 1)
    assert result.state == "finished"
    assert result.trials[2].params_sha256 == alone({"lr": 0.02, "optimizer": "sgd"}).params_sha256


def test_when_all_diverge_there_is_no_best() -> None:
    result = engine.sweep({"lr": "1e18,1e19"}, **SWEEP | {"sampler": "grid", "optimizer": "sgd"})
    assert (result.state, result.best, result.config) == ("finished", None, None)
    assert not list(Path().rglob("best.toml"))


def test_models_of_any_size_share_their_workers() -> None:
    Path("tiny.toml").write_text('[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Dense"\nfeatures = 3\n')
    options = SWEEP | {"sampler": "grid", "workers": 2}
    del options["model"]
    result = engine.sweep({"model": "tiny.toml,mlp", "lr": "0.01,0.02"}, **options)
    assert len(set(rows("SELECT pid FROM workers"))) == 2
    for trial in result.trials:
        if trial.state == FINISHED:
            name = str(trial.parameters["model"])
            assert name in ("mlp", str(Path("tiny.toml").absolute()))
            assert alone(trial.parameters).params_sha256 == trial.params_sha256
    Path("tiny.toml").unlink()
    assert engine.sweep(resume="1", db="r.db").trials == result.trials, "the sweep knows its models"


def test_objects_from_python() -> None:
    model = engine.Model((engine.Flatten(), engine.Dense(3)), shape=(8, 8, 1))
    given = engine.load_data("data.npz")
    options = SWEEP | {"model": model, "data": given, "optimizer": engine.SGD(lr=0.05), "trials": 2}
    result = engine.sweep({"batch-size": [4, 8]}, **{k: v for k, v in options.items() if k != "batch_size"})
    assert result.config
    text = result.config.read_text()
    assert "The model was given in Python" in text
    assert "The data was given in Python" in text
    with pytest.raises(SettingsError, match="data given in Python: give the same"):
        engine.sweep(resume="1", db="r.db")
    assert engine.sweep(data=given, resume="1", db="r.db").trials == result.trials
    save_data(seed=2)
    with pytest.raises(SettingsError, match="has changed since the sweep began"):
        engine.sweep(data="data.npz", resume="1", db="r.db")


def test_what_no_optimizer_of_the_sweep_has_may_have_any_value() -> None:
    over = {"optimizer": "sgd,momentum", "epsilon": "1e-50,1e-8"}
    assert engine.sweep(over, **SWEEP | {"trials": 1, "epochs": 1}).state == "finished"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_trial_whose_run_was_deleted_is_carried_out_again(stopped: bool) -> None:
    """And no checkpoint that was kept of it is taken for its beginning: its curve is gone."""
    engine.sweep(OVER, **SWEEP | {"db": "whole.db", "out": "whole"})
    engine.sweep(OVER, **SWEEP)
    remove_runs("r.db", [2])
    assert list(Path("out/trial-2").iterdir())
    if stopped:
        killed([2, 3], resume="1", db="r.db")  # before the first checkpoint of its own
        assert rows("SELECT state, value FROM trials WHERE number = 2") == [("running", None)]
    engine.sweep(resume="1", db="r.db")
    assert table() == table("whole.db")


def test_a_sweep_keeps_the_micro_batch_that_was_the_default_when_it_began() -> None:
    options = SWEEP | {"trials": 1, "epochs": 1}
    del options["microbatch"]
    engine.sweep(OVER, **options)
    with closing(sqlite3.connect("r.db")) as connection, connection:
        connection.execute("UPDATE sweeps SET settings = json_remove(settings, '$.microbatch')")  # as earlier versions
    engine.sweep(resume="1", db="r.db", trials=2)
    assert rows("SELECT microbatch FROM runs ORDER BY startID") == [(8,), (16,)]


def test_a_sweep_can_have_more_trials_later() -> None:
    engine.sweep(OVER, **SWEEP | {"db": "whole.db", "out": "whole"})
    engine.sweep(OVER, **SWEEP | {"trials": 2})
    more = engine.sweep(resume="1", db="r.db", trials=5)
    assert len(more.trials) == 5
    assert table() == table("whole.db")
    assert rows("SELECT trials FROM sweeps") == [(5,)]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"lr": 0.1}, SettingsError, "lr cannot change when a sweep is resumed; omit it"),
        ({"over": OVER}, SettingsError, "over cannot change when a sweep is resumed; omit it"),
        ({"sampler": "grid"}, SettingsError, "sampler cannot change when a sweep is resumed; omit it"),
        ({"data": "data.npz"}, SettingsError, "data cannot change when a sweep is resumed; omit it"),
        ({"prune_after": 3}, SettingsError, "prune-after cannot change when a sweep is resumed; omit it"),
        ({"validate_every": 2}, SettingsError, "validate-every cannot change when a sweep is resumed; omit it"),
        ({"resume": "2"}, RecordsError, "there is no sweep '2' in database r.db; it has 1 ('mine')"),
        ({"resume": "1", "trials": 0}, SettingsError, "trials must be from 1 to 1000000, got 0"),
        (
            {"resume": "1", "trials": 1},
            SettingsError,
            "a resumed one may have more, not fewer: got 1",
        ),
    ],
)
def test_what_a_resumed_sweep_may_not_change(options: dict[str, Any], error: type[Exception], text: str) -> None:
    engine.sweep(OVER, **SWEEP | {"trials": 2, "name": "mine"})
    with pytest.raises(error) as caught:
        engine.sweep(**{"resume": "mine", "db": "r.db", **options})
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"over": None}, SettingsError, "a sweep needs something to try"),
        ({"lr": 0.1}, SettingsError, "lr is given twice: for all trials, and to be swept over"),
        ({"over": {"model": "mlp,lenet"}}, SettingsError, "model is given twice"),
        ({"sampler": "bayes"}, SettingsError, "sampler must be one of grid, random, tpe, got 'bayes'"),
        ({"prune_after": -1}, SettingsError, "prune-after must be from 0 to 1000000, got -1"),
        ({"prune_after": 10**20}, SettingsError, "prune-after must be from 0 to 1000000, got 100000000000000000000"),
        ({"trials": 0}, SettingsError, "trials must be from 1 to 1000000, got 0"),
        ({"trials": 10**20}, SettingsError, "trials must be from 1 to 1000000, got 100000000000000000000"),
        (
            {"over": {"seed": "0:99999", "lr": "1:2:11"}, "sampler": "grid", "trials": None},
            SettingsError,
            "the grid has 1100000 combinations; say how many of them to try, up to 1000000",
        ),
        ({"over": {"lr": "1e-3,1e39"}}, SettingsError, "Adam: lr must be from .* the range of float32, got 1e[+]39"),
        ({"over": {"lr": "1e-50:1e-3:log"}}, SettingsError, "Adam: lr must be from .* got 1e-50"),
        ({"over": OVER | {"lr": "1e-50,1e-3"}}, SettingsError, "SGD: lr must be from .* got 1e-50"),
        ({"over": {"epsilon": "1e-50,1e-8"}}, SettingsError, "Adam: epsilon must be from .* got 1e-50"),
        ({"name": "7"}, SettingsError, "name must be printable text"),
        ({"sampler": "grid"}, SettingsError, "a grid needs to know how many values of 0.0001:0.1:log to try"),
        ({"model": None, "over": {"model": "mlp,nope"}}, UsageError, "no model or file 'nope': use letters"),
        ({"model": "lenet"}, UsageError, "does not fit|smaller than|kernel"),
        ({"batchsize": 3}, SettingsError, "no setting 'batchsize'; did you mean 'batch_size'"),
    ],
)
def test_what_cannot_be_swept(options: dict[str, Any], error: type[Exception], text: str) -> None:
    before = sorted(Path().iterdir())
    with pytest.raises(error, match=text):
        engine.sweep(**{"over": OVER, **SWEEP, **options})
    assert sorted(Path().iterdir()) == before, "nothing is left behind"


def test_dropout_where_there_is_no_place_for_it_is_found_before_anything_begins() -> None:
    model = engine.Model((engine.Flatten(), engine.Dense(3)), shape=(8, 8, 1))
    with pytest.raises(UsageError, match="dropout goes between"):
        engine.sweep({"dropout": "0,0.5"}, **SWEEP | {"model": model})
    assert not Path("r.db").exists()


def test_without_optuna_tpe_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "engine.sweeps.tpe", raising=False)
    with pytest.raises(UsageError, match=r"needs Optuna: pip install 'gradsum\[tpe\]'"):
        engine.sweep(OVER, **SWEEP | {"sampler": "tpe"})
    assert not Path("r.db").exists()


def test_a_name_is_given_once() -> None:
    engine.sweep(OVER, **SWEEP | {"trials": 1, "name": "mine"})
    with pytest.raises(RecordsError, match="there is a sweep 'mine' already: continue it"):
        engine.sweep(OVER, **SWEEP | {"trials": 1, "name": "mine", "out": "other"})


def test_what_ends_a_sweep_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def hopeless(*_: object) -> None:
        raise WorkersError("no")

    with monkeypatch.context() as patch, pytest.raises(WorkersError) as caught:
        patch.setattr(TrainingProcess, "carry_out", hopeless)
        engine.sweep(OVER, **SWEEP | {"name": "my sweep"})
    assert caught.value.__notes__ == ["Resume with:\n  gradsum sweep --resume 'my sweep' --db r.db"]
    assert rows("SELECT state FROM trials") == [("interrupted",)]
    assert engine.sweep(resume="my sweep", db="r.db").state == "finished"


def test_a_file_whose_name_is_no_unicode_is_a_comment_of_the_best_settings() -> None:
    names = [os.fsdecode(b"\xff." + suffix) for suffix in (b"toml", b"npz")]
    Path(names[0]).write_text('[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Dense"\nfeatures = 3\n')
    Path("data.npz").rename(names[1])
    result = engine.sweep({"lr": "0.01,0.02"}, **SWEEP | {"model": names[0], "data": names[1]})
    assert result.config
    text = result.config.read_text()
    assert "\n# The name of the model is not Unicode: give it with --model.\n" in text
    assert "\n# The name of the data is not Unicode: give it with --data.\n" in text
    again = engine.train(*names, **tomllib.loads(text), workers=0, db="again.db")
    assert result.checkpoint
    assert again.params_sha256 == params_sha256(load(result.checkpoint).parameters)


def test_the_best_settings_say_how_the_data_is_read() -> None:
    rng = np.random.default_rng(0)
    rows_ = "".join(f"{a},{b},{a > 0.5:d},{b > 0.5:d}\n" for a, b in rng.random((90, 2)))
    Path("two.csv").write_text("a,b,first,second\n" + rows_)
    given = SWEEP | {"model": "mlp", "data": "two.csv", "target_column": "first"}
    result = engine.sweep({"lr": "0.01,0.02"}, **given)
    assert result.config
    settings = tomllib.loads(result.config.read_text())
    assert settings["target_column"] == "first"
    again = engine.train(**settings, workers=0, db="again.db")
    assert result.checkpoint
    assert again.params_sha256 == params_sha256(load(result.checkpoint).parameters)


def test_best_settings_that_cannot_be_written_are_a_failure_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def full(source: str, target: Path, **more: Any) -> None:
        if target.name == "best.toml":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        link(source, target, **more)

    with monkeypatch.context() as patch, pytest.raises(StorageError) as caught:
        patch.setattr(os, "link", full)
        engine.sweep(OVER, **SWEEP | {"trials": 1})
    assert str(caught.value) == "the best settings cannot be written to out/best.toml: No space left on device"
    assert caught.value.__notes__ == ["Resume with:\n  gradsum sweep --resume 1 --db r.db"]
    assert [path.name for path in Path("out").iterdir()] == ["trial-1"]
    assert engine.sweep(resume="1", db="r.db").config == Path("out/best.toml").absolute()


def test_a_trial_into_which_another_process_trains_is_not_even_read() -> None:
    with held(Path("out/trial-1")), pytest.raises(CheckpointError, match="another process is training into out"):
        engine.sweep(OVER, **SWEEP)
