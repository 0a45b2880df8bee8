"""`engine.train` from Python: when it stops, what it writes, what it says when the numbers run away."""

import logging
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.checkpoint import held
from engine.checkpoint import load as load_checkpoint
from engine.checkpoint import save as save_checkpoint
from engine.compute.sums import Sums
from engine.compute.validation import Validation
from engine.coordinator.serial import Serial
from engine.coordinator.source import Pending, WorkerReport
from engine.data.letters import letters
from engine.errors import (
    CheckpointError,
    DivergedError,
    InterruptedRoundError,
    ModelError,
    RecordsError,
    SettingsError,
    WorkersError,
)
from engine.records import list_runs
from engine.system.cores import usable_cores
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.reporter import RunInfo, StepReport
from engine.training.snapshots import SnapshotRecorder
from tests.support.command import save_data
from tests.support.repository import ROOT

OLD = ROOT / "tests/checkpoint/format_1"
MLP = engine.Model((engine.Flatten(), engine.Dense(64), engine.Relu(), engine.Dense(26)))


@pytest.fixture(scope="module")
def data() -> engine.Dataset:
    return letters(train=300, test=60, seed=11)


def run(data: engine.Dataset, **options: Any) -> engine.Result:
    given: dict[str, Any] = {"model": MLP, "workers": 0, "batch_size": 32, "db": "records.db", "out": "out"} | options
    return engine.train(data=data, **given)


class Listener(engine.Reporter):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def started(self, info: RunInfo) -> None:
        self.heard.append(info)

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        self.heard.append(report)

    def validated(self, validation: Validation) -> None:
        self.heard.append(validation)

    def ended(self) -> None:
        self.heard.append("ended")


class Interrupting(engine.Reporter):
    """Sends Ctrl-C in step `last`."""

    def __init__(self, last: int) -> None:
        self.last = last

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        if report.step == self.last:
            os.kill(os.getpid(), signal.SIGINT)


def rows(sql: str) -> list[Any]:
    connection = sqlite3.connect("records.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_two_epochs_are_recorded_and_reported(data: engine.Dataset) -> None:
    listener = Listener()
    result = run(data, epochs=2, reporter=listener)
    assert (result.steps, result.epochs, result.state) == (20, 2.0, "finished")
    assert rows("SELECT batchno, batchsize FROM training") == [(i, 12 if i % 10 == 0 else 32) for i in range(1, 21)]
    assert rows("SELECT batchno, corperc FROM validation")[-1] == (20, result.validation and result.validation.percent)
    [(state, steps, digest)] = rows("SELECT state, steps, params_sha256 FROM runs")
    assert (state, steps, digest) == ("finished", 20, result.params_sha256)
    assert [r.loss for r in result.history] == [x for (x,) in rows("SELECT avgloss FROM training")]
    kinds = [type(x).__name__ for x in listener.heard]
    assert kinds == ["RunInfo", *["StepReport"] * 10, "Validation", *["StepReport"] * 10, "Validation", "str"]
    assert len(list(Path("out").iterdir())) == 2, "one checkpoint an epoch"


@pytest.mark.parametrize("optimizer", [engine.SGD(lr=0.1), engine.Momentum(lr=0.02), engine.Adam(lr=0.003)])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
def test_every_optimizer_learns_with_every_loss(data: engine.Dataset, optimizer: Any, loss: str) -> None:
    model = engine.Model(MLP.layers, loss=loss)
    result = engine.train(model, data, optimizer=optimizer, workers=0, batch_size=16, epochs=12, db="r.db", out="o")
    first, last = result.history[:19], result.history[-19:]
    assert np.mean([r.loss for r in last]) < 0.9 * np.mean([r.loss for r in first])
    assert np.mean([r.percent for r in last]) > np.mean([r.percent for r in first]) + 5


def test_processor_time_counts_on_where_a_run_is_resumed(data: engine.Dataset) -> None:
    run(data, steps=3)
    [(first, total)] = rows("SELECT max(cputime), (SELECT cpu_seconds FROM runs) FROM training")
    assert 0 < first <= total
    engine.train(data=data, resume="out", workers=0, steps=5)
    times = [cpu for (cpu,) in rows("SELECT cputime FROM training ORDER BY batchno")]
    assert times == sorted(times)
    assert times[3] > first


def test_cores_are_those_that_the_run_was_given_not_those_that_its_workers_leave(data: engine.Dataset) -> None:
    listener = Listener()
    run(data, workers=1, steps=1, reporter=listener)
    assert rows("SELECT cores FROM runs") == [(usable_cores(),)]
    [info] = [one for one in listener.heard if isinstance(one, RunInfo)]
    assert not [note for note in info.notes if "cores" in note]


def test_the_target_ends_the_run(data: engine.Dataset) -> None:
    result = run(data, target=8.0, validate_every=1, epochs=50)
    assert result.validation is not None
    assert result.validation.percent >= 8.0
    assert result.validation.step == result.steps < 500
    assert "target of 8 %" in result.reason


def test_a_run_that_reached_its_target_is_at_its_end_when_it_is_resumed(data: engine.Dataset) -> None:
    first = run(data, target=8.0, validate_every=1, epochs=50)
    known = rows("SELECT images_per_second, train_loss, best_percent FROM runs")
    listener = Listener()
    again = engine.train(data=data, resume="out", workers=0, reporter=listener)
    assert (again.state, again.reason, again.steps) == ("finished", first.reason, first.steps)
    assert again.validation == first.validation
    assert [type(x).__name__ for x in listener.heard] == ["RunInfo", "str"], "neither a step nor a validation"
    assert rows("SELECT images_per_second, train_loss, best_percent FROM runs") == known
    assert rows("SELECT count(*), min(state) FROM runs") == [(1, "finished")]


def test_a_run_that_reached_its_target_goes_on_to_another_one(data: engine.Dataset) -> None:
    first = run(data, target=8.0, validate_every=1, epochs=50)
    more = engine.train(data=data, resume="out", workers=0, steps=first.steps + 2)
    assert more.steps == first.steps + 2
    assert more.params_sha256 == run(data, steps=first.steps + 2, out="whole").params_sha256


def test_the_validation_of_an_earlier_step_ends_nothing(data: engine.Dataset) -> None:
    first = run(data, steps=9, validate_every=4, reporter=Interrupting(5))
    assert (first.state, first.steps, first.validation and first.validation.step) == ("interrupted", 6, 4)
    assert first.validation
    rest = engine.train(data=data, resume="out", workers=0, steps=9, target=first.validation.percent)
    assert rest.steps > 6


@pytest.mark.parametrize("step", [4, 8])
def test_a_validation_that_was_interrupted_is_made_up_for(
    data: engine.Dataset, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Step 8 is the last; a round is given up where no worker is left and Ctrl-C has come."""
    whole = run(data, steps=8, validate_every=2, db="whole.db", out="whole")
    validate = Serial.validate

    def give_up(self: Serial, at: int, parameters: Any) -> Sums:
        if at == step:
            os.kill(os.getpid(), signal.SIGINT)
            raise InterruptedRoundError
        return validate(self, at, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Serial, "validate", give_up)
        first = run(data, steps=8, validate_every=2)
    assert (first.state, first.steps, first.validation and first.validation.step) == ("interrupted", step, step - 2)
    rest = engine.train(data=data, resume="out", workers=0)
    assert (rest.state, rest.params_sha256, rest.validation) == ("finished", whole.params_sha256, whole.validation)
    assert rows("SELECT batchno FROM validation") == [(2,), (4,), (6,), (8,)]


@pytest.mark.parametrize(
    "stored",
    [
        {"step": 2},
        {"step": 2, "correct": 1.5, "total": 3, "loss": 0.1},
        {"step": 2, "correct": 4, "total": 3, "loss": 0.1},
        {"step": 2, "correct": 0, "total": 0, "loss": 0.1},
        {"step": 2, "correct": 1, "total": 3, "loss": "x"},
    ],
)
def test_a_validation_that_is_none(data: engine.Dataset, stored: dict[str, Any]) -> None:
    run(data, steps=2)
    checkpoint = load_checkpoint(Path("out"))
    save_checkpoint("out", replace(checkpoint, run=replace(checkpoint.run, validation=stored)))
    with pytest.raises(
        CheckpointError, match=r"the checkpoint does not fit: a validation (of {'step': 2|with . of . correct)"
    ):
        engine.train(data=data, resume="out", workers=0, steps=4)


def test_the_time_limit_ends_the_run(data: engine.Dataset) -> None:
    result = run(data, time_limit=0.2)
    assert "time limit" in result.reason
    assert result.steps >= 1


def test_a_run_that_diverges_says_where_and_keeps_the_last_good_checkpoint(data: engine.Dataset) -> None:
    with pytest.raises(DivergedError, match=r"step \d+: the loss is .* in (fc1|relu1|fc2)") as caught:
        run(data, optimizer=engine.SGD(lr=1e18), epochs=1)
    kept = load_checkpoint(Path("out"))
    assert all(np.isfinite(a).all() for a in kept.parameters.values())
    assert f"step-{kept.step:08d}" in str(caught.value)
    assert f"step {kept.step + 1}:" in str(caught.value)
    assert rows("SELECT state FROM runs") == [("failed",)]


def test_a_run_that_loses_its_workers_says_how_to_go_on(data: engine.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Serial.start

    def start(serial: Serial, step: int, *rest: Any) -> Pending:
        if step == 4:
            raise WorkersError("all are lost")
        return plain(serial, step, *rest)

    monkeypatch.setattr(Serial, "start", start)
    with pytest.raises(WorkersError, match="all are lost") as caught:
        run(data, steps=6, checkpoint_every=2, out="my runs")
    assert caught.value.__notes__ == ["Resume from the checkpoint of step 2 with:\n  gradsum train --resume 'my runs'"]
    monkeypatch.setattr(Serial, "start", plain)
    assert engine.train(data=data, resume="my runs", workers=0, steps=6).steps == 6


def test_a_worker_run_that_diverges_says_the_same(data: engine.Dataset) -> None:
    with pytest.raises(DivergedError, match=r"step \d+: the loss is"):
        run(data, optimizer=engine.SGD(lr=1e18), epochs=1, workers=1)


class Noticing(engine.Reporter):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.mark.parametrize("stored", ["the same", "none", "numpy 0.1; openblas 9; kernels of wood"])
def test_a_resumed_run_says_whether_its_bits_are_others(data: engine.Dataset, stored: str) -> None:
    run(data, steps=2)
    checkpoint = load_checkpoint(Path("out"))
    versions = dict(checkpoint.run.versions)
    here = versions["numerics"]
    if stored == "none":  # an old checkpoint
        del versions["numerics"]
    elif stored != "the same":
        versions["numerics"] = "; ".join([stored, *here.split("; ")[1:]])
    save_checkpoint("out", replace(checkpoint, run=replace(checkpoint.run, versions=versions)))
    reporter = Noticing()
    assert engine.train(data=data, resume="out", workers=0, steps=3, reporter=reporter).steps == 3
    expected = f"continuing, but results will not be bit-identical to those without a stop (was {stored}, now "
    events = [text for (text,) in rows("SELECT text FROM events WHERE kind = 'resumed'")]
    assert reporter.notices == [f"resumed: {text}" for text in events]
    assert [expected in text for text in events] == ([True] if stored.startswith("numpy") else [])
    assert all(text.endswith(f"now {here.split('; ')[0]})") for text in events)


def test_resume_continues_the_same_run(data: engine.Dataset) -> None:
    first = run(data, steps=6)
    rest = engine.train(data=data, resume="out", steps=9, workers=0)
    assert rest.run == first.run
    assert [n for (n,) in rows("SELECT batchno FROM training")] == list(range(1, 10))
    assert rows("SELECT count(*), min(state) FROM runs") == [(1, "finished")]
    assert rest.wall_seconds > first.wall_seconds


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"lr": 0.5, "steps": 9}, CheckpointError, "began with lr 0.001, not 0.5"),
        ({"batch_size": 8, "steps": 9}, CheckpointError, "began with batch-size 32"),
        ({"steps": 6}, SettingsError, "already at step 6"),
        ({"model": "mlp", "steps": 9}, CheckpointError, "another model"),
    ],
)
def test_what_a_resumed_run_may_not_change(
    data: engine.Dataset, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    run(data, steps=6)
    with pytest.raises(error, match=text):
        engine.train(data=data, resume="out", workers=0, **options)


def test_a_resumed_run_wants_the_same_data(data: engine.Dataset) -> None:
    run(data, steps=2)
    with pytest.raises(CheckpointError, match="began with data letters"):
        engine.train(data=letters(train=300, test=60, seed=12), resume="out", workers=0, steps=4)


def test_a_model_for_other_images_is_refused(data: engine.Dataset) -> None:
    model = engine.Model((engine.Flatten(), engine.Dense(26)), shape=(32, 32, 1))
    with pytest.raises(ModelError, match=r"takes images of 32x32x1 .* the data has 28x28x1"):
        engine.train(model, data, workers=0, steps=1, db="r.db", out="o")
    with pytest.raises(ModelError, match="has 5 outputs, the data 26 classes"):
        engine.train(engine.Model((engine.Flatten(), engine.Dense(5))), data, workers=0, steps=1, db="r.db", out="o")


def test_an_unknown_setting_is_named(data: engine.Dataset) -> None:
    with pytest.raises(SettingsError, match="no setting 'batchsize'; did you mean 'batch_size'"):
        run(data, batchsize=3)


def test_processor_time_before_the_run_is_not_the_runs(data: engine.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", lambda: 1000.0)
    run(data, steps=2)
    assert rows("SELECT cpu_seconds FROM runs") == [(0.0,)]


def test_settings_may_be_an_object(data: engine.Dataset) -> None:
    settings = engine.Settings(workers=0, batch_size=16, steps=3, optimizer="sgd")
    first = engine.train(MLP, data, settings=settings, db="a.db", out="a")
    same = run(data, batch_size=16, steps=3, optimizer="sgd", out="b")
    assert (first.steps, first.params_sha256) == (3, same.params_sha256)
    more = engine.train(data=data, settings=engine.Settings(workers=0, steps=9), resume="a", steps=4)
    assert more.steps == 4, "keywords count over the object, and of that only what is not the default"


def test_a_checkpoint_of_the_first_version_is_resumed() -> None:
    save_data()
    shutil.copytree(OLD, "out")
    result = engine.train(data="data.npz", resume="out", db="new.db", workers=0, steps=9)
    assert (result.steps, result.steps_taken, [s.step for s in result.history]) == (9, 4, [6, 7, 8, 9])
    assert (result.validation and result.validation.step, result.network.classes) == (9, ("0", "1", "2"))
    saved = load_checkpoint(Path("out")).run
    assert (saved.name, saved.settings["shared_memory"], "mailbox" in saved.settings) == ("an old run", True, False)


def test_beginning_and_end_are_logged(data: engine.Dataset, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gradsum.training"):
        run(data, steps=2)
        with pytest.raises(DivergedError):
            run(data, optimizer=engine.SGD(lr=1e18), epochs=1, out="diverges")
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "run 1 begins at step 0: own on letters"
    assert said[2] == "run 1 ends after step 2: 2 steps are done"
    assert said[3].startswith("run 2 begins")
    assert said[-1].startswith("run 2 fails: step ")
    assert [r.name for r in caplog.records if r.levelno > logging.INFO][-1] == "gradsum.training"
    assert [r.levelname for r in caplog.records if r.name == "gradsum.training"][-1] == "WARNING"


def test_without_being_asked_nothing_is_logged() -> None:
    save_data()
    program = """import engine
model = engine.Model((engine.Flatten(), engine.Dense(3)), shape=(8, 8, 1))
engine.train(model, "data.npz", workers=0, steps=2)"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_bad_database_is_bad_usage_before_the_run_begins(data: engine.Dataset) -> None:
    Path("records.db").mkdir()
    with pytest.raises(RecordsError) as caught:
        run(data, steps=3)
    assert caught.value.exit_code == 2
    assert not hasattr(caught.value, "__notes__")


def test_a_folder_that_takes_no_last_checkpoint_fails_the_run(data: engine.Dataset) -> None:
    class Spoiling(engine.Reporter):
        def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
            if report.step == 2:
                Path("out/step-00000003.safetensors").mkdir()

    with pytest.raises(CheckpointError, match=r"step-00000003.safetensors cannot be written") as caught:
        run(data, steps=3, checkpoint_every=1, reporter=Spoiling())
    assert caught.value.exit_code == 1
    assert CheckpointError.exit_code == 2
    assert hasattr(caught.value, "__notes__"), "there is a checkpoint to resume from"


def test_a_run_that_was_killed_after_its_last_checkpoint_is_finished_when_it_is_resumed(data: engine.Dataset) -> None:
    first = run(data, steps=6)
    connection = sqlite3.connect("records.db", isolation_level=None)
    connection.execute("UPDATE runs SET state = 'interrupted', reason = 'killed', finished = NULL")
    connection.close()
    again = engine.train(data=data, resume="out", workers=0)
    assert (again.state, again.steps, again.params_sha256) == ("finished", 6, first.params_sha256)
    assert rows("SELECT count(*), min(state), count(finished) FROM runs") == [(1, "finished", 1)]
    with pytest.raises(SettingsError, match="already at step 6"):
        engine.train(data=data, resume="out", workers=0)


def test_one_that_was_killed_is_not_finished_by_fewer_steps_than_it_has(data: engine.Dataset) -> None:
    run(data, steps=6)
    connection = sqlite3.connect("records.db", isolation_level=None)
    connection.execute("UPDATE runs SET state = 'interrupted', reason = 'killed', finished = NULL")
    connection.close()
    with pytest.raises(SettingsError, match="already at step 6 and ends at step 4"):
        engine.train(data=data, resume="out", workers=0, steps=4)


def test_who_goes_back_is_told_what_goes(data: engine.Dataset) -> None:
    class Hearing(engine.Reporter):
        def __init__(self) -> None:
            self.notices: list[str] = []

        def notice(self, text: str) -> None:
            self.notices.append(text)

    first = run(data, steps=6, checkpoint_every=2)
    hearing = Hearing()
    engine.train(data=data, resume="out/step-00000002.safetensors", workers=0, steps=3, reporter=hearing)
    goes = "its rows of later steps are deleted; what out has of steps 4 to 6 is removed once there is a new checkpoint"
    [uuid] = {uuid for (uuid,) in rows("SELECT uuid FROM runs")}
    assert hearing.notices == [f"run {uuid[:6]} goes back to step 2: {goes}"]
    assert rows("SELECT batchno, text FROM events WHERE kind = 'resumed'") == [(2, hearing.notices[0])]
    assert first.steps == 6
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "step-00000002.safetensors",
        "step-00000003.safetensors",
    ]


def test_what_another_process_trains_is_not_even_read(data: engine.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read before, it might be changed by the other one, which is about to end, and then be taken for the newest."""
    run(data, steps=2)
    monkeypatch.setattr("engine.checkpoint.load", lambda _: pytest.fail("it is read"))
    with held(Path("out")), pytest.raises(CheckpointError, match="another process is training into out"):
        engine.train(data=data, resume="out", workers=0, steps=4)
    with held(Path("out")), pytest.raises(CheckpointError, match="another process is training into out"):
        engine.train(data=data, resume="out/step-00000002.safetensors", workers=0, steps=4)


def test_a_run_that_cannot_begin_leaves_no_folder(data: engine.Dataset) -> None:
    with pytest.raises(ModelError):
        run(data, model="none.toml")
    assert not Path("out").exists()


def test_a_checkpoint_has_the_snapshots_of_all_steps_before_it(
    data: engine.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of later steps are repeated when a run that was killed is resumed; of earlier ones there would be none."""
    asked, written, saved = threading.Event(), list[int](), list[int]()
    settle, write, save = SnapshotRecorder.settle, SnapshotRecorder._write, CheckpointWriter.write

    def settling(self: SnapshotRecorder) -> None:
        asked.set()
        settle(self)

    def writing(self: SnapshotRecorder, look: Any) -> None:
        assert asked.wait(10)
        write(self, look)
        written.append(look.step)

    def saving(self: CheckpointWriter) -> Path:
        saved.append(max(written, default=0))
        return save(self)

    monkeypatch.setattr(SnapshotRecorder, "settle", settling)
    monkeypatch.setattr(SnapshotRecorder, "_write", writing)
    monkeypatch.setattr(CheckpointWriter, "write", saving)
    run(data, steps=4, checkpoint_every=2, snapshot_every=1, validate_every=100)
    assert saved[0] == 2


def test_a_model_without_parameters_has_nothing_to_learn(data: engine.Dataset) -> None:
    with pytest.raises(ModelError, match="no layer of the model has parameters: there is nothing to train"):
        run(letters(60, 26, 1), model=engine.Model((engine.Flatten(), engine.Relu()), shape=(28, 28, 1)), steps=1)


def test_a_validation_that_is_not_a_number_is_said_and_never_the_best(data: engine.Dataset) -> None:
    """The last step has no next one in which the run would be found to have diverged."""
    result = run(data, steps=1, lr=1e30, optimizer="rmsprop")
    assert result.validation is not None
    assert math.isnan(result.validation.loss)
    assert result.best is None
    [(step, text)] = rows("SELECT batchno, text FROM events WHERE kind = 'not finite'")
    assert (step, text[:51]) == (1, "the loss of the validation after step 1 is nan: an ")
    assert list_runs("records.db")[0]["best_percent"] is None
