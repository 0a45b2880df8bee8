"""What is kept of a training: the right numbers of the right steps, and never at the training's cost."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import engine
from engine.checkpoint import load as load_checkpoint
from engine.data.letters import letters
from engine.errors import DivergedError, RecordsError, SettingsError
from engine.nn.parameters import Layout, Spec
from engine.records import Recorder, RunRow, reading, snapshots
from engine.settings import Settings
from engine.training.snapshots import SnapshotRecorder, SnapshotSchedule, schedule_for
from engine.training.snapshots import recorder as module
from tests.support.command import Gradsum, save_data

MODEL = engine.Model((engine.Conv2d(4), engine.MaxPool2d(4), engine.Flatten(), engine.Dense(26)))
LAYOUT = Layout({"c1.filter": Spec("filter", (2, 3, 3, 3), 27, (2, 3, 1, 0)), "c1.bias": Spec("bias", (2,), 27)})
RUN = RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="u1")
ALL = SnapshotSchedule(first=1 << 40, every=0, statistics=1, names=frozenset(LAYOUT.specs))

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def data() -> engine.Dataset:
    return letters(train=300, test=60, seed=11)


def run(data: engine.Dataset, **options: Any) -> engine.Result:
    given: dict[str, Any] = {"workers": 0, "batch_size": 32, "db": "r.db", "out": "out", "steps": 8} | options
    return engine.train(MODEL, data, **given)


def rows(sql: str, path: Path | str = "r.db") -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def vector(seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(LAYOUT.size).astype(np.float32)


# --- what a training leaves ---


def test_values_are_those_before_the_step_and_gradients_their_mean(data: engine.Dataset) -> None:
    """With SGD, and powers of two for all factors, the next values are values - lr * gradient to the bit."""
    run(data, optimizer=engine.SGD(lr=0.5), snapshot_first=8, checkpoint_every=1)
    names = list(MODEL.layout().specs)
    with reading("r.db") as connection:
        assert snapshots.steps(connection, 1) == list(range(1, 9))
        assert list(snapshots.tensors(connection, 1)) == names
        taken = [{n: snapshots.tensor(connection, 1, n, step) for n in names} for step in range(1, 9)]
    for name in names:
        for this, following in pairwise(taken):
            values, gradients = this[name]
            assert np.array_equal(values - np.float32(0.5) * gradients, following[name][0]), name
            assert gradients.any()
    kept = load_checkpoint(Path("out"))
    assert kept.step == 8
    for name in names:
        values, gradients = taken[7][name]
        assert np.array_equal(values - np.float32(0.5) * gradients, kept.parameters[name])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_statistics_are_of_the_same_step(data: engine.Dataset, optimizer: str) -> None:
    run(data, optimizer=optimizer, snapshot_first=0, snapshot_every=1, statistics_every=3)
    with reading("r.db") as connection:
        found = snapshots.statistics(connection, 1)
        assert [(r.batchno, r.name, r.subname) for r in found[:5]] == [
            (3, "c1", "filter"),
            (3, "c1", "bias"),
            (3, "fc1", "weights"),
            (3, "fc1", "bias"),
            (6, "c1", "filter"),
        ]
        assert len(found) == 8
        for row in found:
            name = f"{row.name}.{row.subname}"
            values, gradients = snapshots.tensor(connection, 1, name, row.batchno)
            updates = snapshots.tensor(connection, 1, name, row.batchno + 1)[0] - values
            assert row.values_mean == pytest.approx(values.astype(float).mean(), rel=1e-6, abs=1e-12)
            assert row.gradients_norm == pytest.approx(float(np.linalg.norm(gradients.ravel().astype(float))))
            assert row.updates_max == updates.max()
            assert row.updates_norm == pytest.approx(float(np.linalg.norm(updates.ravel().astype(float))))


def test_they_change_no_bit_and_can_be_turned_off(data: engine.Dataset) -> None:
    every = run(data, snapshot_every=1, statistics_every=1)
    none = run(data, snapshot_first=0, snapshot_every=0, statistics_every=0, db="none.db", out="none")
    assert every.params_sha256 == none.params_sha256
    for table in ("snapshots", "chunks", "histograms", "statistics"):
        assert rows(f"SELECT count(*) FROM {table}", "none.db") == [(0,)]  # noqa: S608
        assert rows(f"SELECT count(DISTINCT batchno) FROM {table}") == [(8,)]  # noqa: S608


def test_a_resumed_run_leaves_the_same_snapshots(data: engine.Dataset) -> None:
    options: dict[str, Any] = {"snapshot_first": 2, "snapshot_every": 3, "statistics_every": 2}
    run(data, steps=12, db="whole.db", out="whole", **options)
    run(data, steps=7, checkpoint_every=4, **options)
    later = Path("out/step-00000007.safetensors")
    later.unlink()  # as if it had been killed after its records of step 6 and before it saved
    engine.train(data=data, resume="out", workers=0, steps=12)
    for table in ("snapshots", "chunks", "histograms", "statistics"):
        sql = f"SELECT * FROM {table} ORDER BY batchno, rowid"  # noqa: S608
        assert rows(sql) == rows(sql, "whole.db")
    assert [step for (step,) in rows("SELECT DISTINCT batchno FROM data ORDER BY 1")] == [1, 2, 3, 6, 9, 12]


def test_a_run_that_diverges_leaves_the_step_it_diverged_in(data: engine.Dataset) -> None:
    with pytest.raises(DivergedError) as caught:
        run(data, optimizer=engine.SGD(lr=1e18), snapshot_first=1, snapshot_every=0)
    [first, last] = [step for (step,) in rows("SELECT DISTINCT batchno FROM data ORDER BY 1")]
    assert first == 1
    assert str(caught.value).startswith(f"step {last}:")
    with reading("r.db") as connection:
        taken = [snapshots.tensor(connection, 1, name, last) for name in MODEL.layout().specs]
    assert not all(np.isfinite(array).all() for pair in taken for array in pair)


def test_only_some_layers(data: engine.Dataset) -> None:
    run(data, snapshot_layers="fc1", snapshot_every=4, snapshot_first=0, statistics_every=4)
    with reading("r.db") as connection:
        assert list(snapshots.tensors(connection, 1)) == ["fc1.weights", "fc1.bias"]
        assert {row.name for row in snapshots.statistics(connection, 1)} == {"c1", "fc1"}
    assert rows("SELECT min(pos), count(*) FROM data WHERE batchno = 4") == [(40, 26 * (4 * 7 * 7 + 1))]


def test_an_unknown_layer_is_bad_usage(gradsum: Gradsum) -> None:
    save_data()
    answer = gradsum("train", "--data", "data.npz", "--model", "mlp", "--workers", 0, "--snapshot-layers", "fc1,c9")
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == (
        "gradsum: snapshot-layers: no layer 'c9' with parameters in this model; there are fc1,fc2,fc3"
    )
    assert not Path("runs").exists()


# --- which steps ---


@given(st.integers(0, 40), st.integers(0, 9), st.integers(0, 9))
def test_which_steps(first: int, every: int, measured: int) -> None:
    given = Settings(snapshot_first=first, snapshot_every=every, statistics_every=measured, snapshot_budget=0)
    choice = schedule_for(given, LAYOUT)
    multiples = range(every, 100, every) if every else ()
    assert [s for s in range(1, 100) if choice.snapshot_at(s)] == sorted({*range(1, first + 1), *multiples})
    assert [s for s in range(1, 100) if choice.statistics_at(s)] == list(
        range(measured, 100, measured or 1) if measured else ()
    )
    assert choice.snapshots == bool(first or every)
    assert choice.names == set(LAYOUT.specs)


@pytest.mark.parametrize(("text", "bad"), [("", "''"), ("c1,", "''"), ("c1.filter", "'c1.filter'"), ("C1", "'C1'")])
def test_layers_are_named_exactly(text: str, bad: str) -> None:
    assert schedule_for(Settings(snapshot_layers=" c1 "), LAYOUT).names == set(LAYOUT.specs)
    with pytest.raises(SettingsError, match=f"no layer {bad} with parameters in this model; there are c1$"):
        schedule_for(Settings(snapshot_layers=text), LAYOUT)


# --- a slow disk, and faults ---


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program's open write transaction, behind which the writer waits."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_what_the_disk_cannot_take_is_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES", 5 * 3 * 4 * LAYOUT.size)
    notices: list[str] = []
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        with SnapshotRecorder(ALL, LAYOUT, records, notices.append) as taker:
            with locked(tmp_path / "r.db"):
                for step in range(1, 101):  # as fast as can be: nobody waits for the lock
                    taker.before(step, vector(step), vector(-step % 999), 2)
                    taker.after(vector(step + 1))
                assert taker.skipped == 95
            assert notices == []
        assert notices == ["95 steps have no snapshot or statistics: the database did not take them in time"]
        with SnapshotRecorder(ALL, LAYOUT, records, notices.append) as taker:  # there is room again
            taker.before(101, vector(101), vector(1), 2)
            taker.after(vector(102))
        assert taker.skipped == 0
        assert len(notices) == 1
    with reading(tmp_path / "r.db") as connection:
        assert snapshots.steps(connection, 1) == [1, 2, 3, 4, 5, 101]
        assert len(snapshots.statistics(connection, 1)) == 12
        values, gradients = snapshots.tensor(connection, 1, "c1.filter", 5)
    public = dict(LAYOUT.public(vector(5)))["c1.filter"], dict(LAYOUT.public(vector(994)))["c1.filter"]
    assert np.array_equal(values, public[0])
    assert np.array_equal(gradients, public[1] / 2)
    skipped = rows("SELECT batchno, text FROM events WHERE kind = 'skipped'", tmp_path / "r.db")
    assert [step for step, _ in skipped] == list(range(6, 101))
    assert skipped[0][1] == "no snapshot or statistics of step 6: too many steps wait for the disk"


def test_a_checkpoint_does_not_wait_for_a_database_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE", 0.0)
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        with SnapshotRecorder(ALL, LAYOUT, records, print) as taker, locked(tmp_path / "r.db"):
            taker.before(1, vector(1), vector(2), 1)
            taker.after(vector(3))
            taker.settle()
            assert rows("SELECT * FROM chunks", tmp_path / "r.db") == []


def test_the_vectors_may_change_at_once(tmp_path: Path) -> None:
    parameters, gradient = vector(1), vector(2)
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        with SnapshotRecorder(ALL, LAYOUT, records, print) as taker, locked(tmp_path / "r.db"):
            taker.before(1, parameters, gradient, 1)
            parameters += 1
            taker.after(parameters)
            parameters[:] = gradient[:] = 99
    with reading(tmp_path / "r.db") as connection:
        assert np.array_equal(snapshots.tensor(connection, 1, "c1.bias", 1), (vector(1)[54:], vector(2)[54:]))
        assert snapshots.statistics(connection, 1)[0].updates_mean == pytest.approx(1)


def test_who_leaves_in_a_hurry_waits_only_for_what_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(False, cancel_futures=cancel_futures)
            leaving.set()
            super().shutdown(wait)

    monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        plain = records.snapshot

        def slow(snapshot: Any) -> None:
            assert leaving.wait(10)
            plain(snapshot)

        records.snapshot = slow  # type: ignore[method-assign]

        def work() -> None:
            with SnapshotRecorder(ALL, LAYOUT, records, print) as taker:
                for step in (1, 2, 3):
                    taker.before(step, vector(1), vector(2), 1)
                    taker.after(vector(3))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work()
    assert rows("SELECT DISTINCT batchno FROM chunks", tmp_path / "r.db") == [(1,)]


@pytest.mark.parametrize(("error", "raised"), [(RecordsError("full"), False), (KeyError("bug"), True)])
def test_a_fault_while_writing(tmp_path: Path, error: Exception, raised: bool) -> None:
    notices: list[str] = []
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)

        def fail(snapshot: Any) -> None:
            raise error

        records.snapshot = fail  # type: ignore[method-assign]
        taker = SnapshotRecorder(ALL, LAYOUT, records, notices.append)

        def work() -> None:
            with taker:
                taker.before(1, vector(1), vector(2), 1)
                taker.after(vector(3))

        if raised:
            with pytest.raises(KeyError, match="bug"):
                work()
        else:
            work()
        assert taker.skipped == len(notices) == (not raised)
