"""Snapshots: queries on the view `data`, bit for bit, and what the readers return."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import RecordsError
from engine.nn.built_in import letters
from engine.records import (
    HistogramRow,
    Recorder,
    RunRow,
    RunStatus,
    Snapshot,
    StatisticsRow,
    places,
    reading,
    snapshots,
)

RUN = RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7, uuid="u1")
SHAPES = {name: spec.shape for name, spec in letters().layout().specs.items()}
PLACES = places(SHAPES)
STEPS = (1, 2, 32, 64)
KERNEL = "SELECT * FROM data WHERE startID = 1 AND name='c2' AND idx=20 AND subname='filter' ORDER BY batchno"

Array = NDArray[np.float32]


def noise(step: int, name: str) -> tuple[Array, Array]:
    rng = np.random.default_rng([step, sum(name.encode())])
    values, gradients = rng.standard_normal((2, *SHAPES[name])).astype(np.float32)
    return values, gradients


def snapshot(step: int, names: Any = SHAPES) -> Snapshot:
    return Snapshot(step, {PLACES[name]: noise(step, name) for name in names})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("records") / "r.db"
    with Recorder(found) as records:
        records.begin(RUN)
        for step in STEPS:
            records.snapshot(snapshot(step))
        records.begin(RunRow("mlp", "d", "sgd", 1, 1, 1, 1, 1))
        records.snapshot(snapshot(5, ["c1.filter", "fc1.bias"]))
    return found


@pytest.fixture
def plain(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def test_one_kernel_over_time(plain: sqlite3.Connection) -> None:
    rows = plain.execute(KERNEL).fetchall()
    want = []
    for step in STEPS:
        values, gradients = noise(step, "c2.filter")
        for row in range(3):
            for col in range(3):
                pos = 32 * 9 + 32 + 20 * 9 + row * 3 + col  # after c1
                pair = (float(array[0, 20, row, col]) for array in (values, gradients))  # output 0, input 20 of 32
                want.append((1, step, "c2", "filter", 20, row, col, *pair, pos))
    assert rows == want


def test_every_array_is_numbered(plain: sqlite3.Connection) -> None:
    """The loops, written out: every matrix of every layer by rows; a convolution has a list of them, a bias each."""
    pos = 0
    for layer in ("c1", "c2", "c3", "fc1", "fc2", "fc3"):
        for array in ("filter", "bias") if layer.startswith("c") else ("weights", "bias"):
            values = noise(1, f"{layer}.{array}")[0]
            if array == "bias":
                matrices = values.reshape((-1, 1, 1) if layer.startswith("c") else (1, -1, 1))
            else:
                matrices = values.reshape((-1, *values.shape[-2:]))
            some = sorted({i for i in (0, 1, 2, 20, len(matrices) - 1) if i < len(matrices)})
            sql = """
                SELECT idx, row, col, val, pos FROM data
                WHERE startID = 1 AND batchno = 1 AND name = ? AND subname = ?
                AND idx IN (SELECT value FROM json_each(?)) AND row < 9 AND col < 9 ORDER BY pos
            """
            want = [
                (i, r, c, float(matrices[i, r, c]), pos + (i * matrices.shape[1] + r) * matrices.shape[2] + c)
                for i in some
                for r in range(min(9, matrices.shape[1]))
                for c in range(min(9, matrices.shape[2]))
            ]
            assert plain.execute(sql, (layer, array, json.dumps(some))).fetchall() == want
            pos += values.size
    assert pos == 137_178


def test_a_whole_snapshot_has_every_value_once(plain: sqlite3.Connection) -> None:
    rows = plain.execute("SELECT pos, val, grad FROM data WHERE startID = 1 AND batchno = 32").fetchall()
    rows.sort()
    assert [pos for pos, _, _ in rows] == list(range(137_178))
    for column in (0, 1):
        want = np.concatenate([noise(32, name)[column].ravel() for name in SHAPES])
        assert np.array_equal(np.array([row[column + 1] for row in rows], np.float32), want)


@pytest.mark.parametrize(
    ("columns", "want"),
    [
        ("startID", [(1,), (2,)]),
        ("startID, batchno", [(1, 1), (1, 2), (1, 32), (1, 64), (2, 5)]),
        ("name, subname", sorted(tuple(name.split(".")) for name in SHAPES)),
    ],
)
def test_distinct_reads_no_values(plain: sqlite3.Connection, columns: str, want: list[Any]) -> None:
    sql = f"select distinct {columns} from data"  # noqa: S608
    assert sorted(plain.execute(sql).fetchall()) == want
    plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert [line for line in plan if line.startswith("S")] == plan[:1], plan
    assert plan[0].startswith("SCAN s"), plan


def test_one_kernel_is_found_by_keys(plain: sqlite3.Connection) -> None:
    plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {KERNEL}")]
    assert not [line for line in plan if "SCAN" in line or "TEMP" in line], plan
    [of_snapshots] = [line for line in plan if line.startswith("SEARCH s ")]
    assert "(startID=? AND name=? AND subname=?)" in of_snapshots
    assert "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert sum("chunks" in line and "(startID=? AND batchno=? AND chunk=?)" in line for line in plan) == 2


@pytest.mark.parametrize("step", [None, 5])
def test_chunks_are_read_by_keys(plain: sqlite3.Connection, step: int | None) -> None:
    values = (0, 0, 1, "c2", "filter", step)
    plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {snapshots._CHUNKS}", values)]
    assert "(startID=? AND name=? AND subname=?)" in plan[0], plan
    assert "(startID=? AND batchno=? AND chunk>? AND chunk<?)" in plan[1], plan


ODD = (0, 1 << 31, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 0x3F800000)


@settings(max_examples=30)
@given(st.lists(st.integers(0, (1 << 32) - 1) | st.sampled_from(ODD), min_size=1, max_size=600))
def test_any_bit_pattern_comes_back(tmp_path_factory: pytest.TempPathFactory, patterns: list[int]) -> None:
    path = tmp_path_factory.mktemp("records") / "r.db"
    values = np.array(patterns, np.uint32).view(np.float32)
    [place] = places({"fc1.bias": values.shape}).values()
    with Recorder(path) as records:
        records.begin(RUN)
        records.snapshot(Snapshot(1, {place: (values, values[::-1])}))
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT val, grad FROM data ORDER BY row").fetchall()
    for column, want in ((0, values), (1, values[::-1])):
        assert [row[column] is None for row in rows] == np.isnan(want).tolist(), "nan is NULL, nothing else is"
        found = np.array([row[column] for row in rows], np.float64)[~np.isnan(want)]
        assert np.array_equal(found, want[~np.isnan(want)])
        assert np.array_equal(np.signbit(found), np.signbit(want[~np.isnan(want)])), "-0.0 is not 0.0"
    with reading(path) as connection:
        read = snapshots.tensor(connection, 1, "fc1.bias", 1)
        assert [array.tobytes() for array in read] == [values.tobytes(), values[::-1].tobytes()], "nan's bits, too"


def test_every_sign_and_exponent(tmp_path: Path) -> None:
    patterns = np.arange(512, dtype=np.uint32)[:, None] << 23 | np.array([0, 1, 0x400000, 0x7FFFFF], np.uint32)
    values = patterns.ravel().view(np.float32)
    [place] = places({"fc1.weights": (512, 4)}).values()
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        records.snapshot(Snapshot(1, {place: (values, values)}))
    with closing(sqlite3.connect(tmp_path / "r.db")) as connection:
        rows = connection.execute("SELECT val, typeof(val) FROM data ORDER BY pos").fetchall()
    assert [row[1] for row in rows] == ["null" if np.isnan(value) else "real" for value in values]
    finite_or_inf = ~np.isnan(values)
    found = np.array([row[0] for row in rows], np.float64)[finite_or_inf]
    assert np.array_equal(found, values[finite_or_inf])


def test_readers_return_what_was_written(path: Path) -> None:
    with reading(path) as connection:
        assert snapshots.steps(connection, 1) == list(STEPS)
        assert snapshots.steps(connection, 3) == []
        assert list(snapshots.tensors(connection, 1).items()) == list(SHAPES.items())
        assert snapshots.tensors(connection, 2) == {"c1.filter": (32, 1, 3, 3), "fc1.bias": (64,)}
        for name in SHAPES:
            values, gradients = snapshots.tensor(connection, 1, name, 32)
            assert np.array_equal(values, noise(32, name)[0])
            assert np.array_equal(gradients, noise(32, name)[1])
            assert values.dtype == gradients.dtype == np.float32
            assert values.flags.writeable


@pytest.mark.parametrize(
    ("start", "stop"), [(180, 189), (0, 18_432), (510, 514), (511, 512), (512, 1536), (18_431, 18_432)]
)
def test_a_series_is_every_snapshot(path: Path, start: int, stop: int) -> None:
    with reading(path) as connection:
        steps, values, gradients = snapshots.series(connection, 1, "c2.filter", start, stop)
    assert steps.tolist() == list(STEPS)
    for row, step in enumerate(STEPS):
        want = noise(step, "c2.filter")
        assert np.array_equal(values[row], want[0].ravel()[start:stop])
        assert np.array_equal(gradients[row], want[1].ravel()[start:stop])


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda c: snapshots.tensor(c, 1, "c2.filter", 3), "run 1 has no snapshot of c2.filter at step 3"),
        (lambda c: snapshots.tensor(c, 1, "c9.filter", 1), r"no snapshots of 'c9.filter'; it has c1.filter, c1.bias"),
        (lambda c: snapshots.tensor(c, 7, "c1.filter", 1), "run 7 has no snapshots; train with --snapshot-every"),
        (lambda c: snapshots.series(c, 1, "c1.bias", 30, 33), "c1.bias has values 0 to 31; there are no 30 to 32"),
        (lambda c: snapshots.series(c, 1, "c1.bias", 3, 3), "there are no 3 to 2"),
    ],
)
def test_what_is_not_there_is_said(path: Path, read: Any, words: str) -> None:
    with reading(path) as connection, pytest.raises(RecordsError, match=words):
        read(connection)


def test_statistics_come_back_and_nan_is_null(tmp_path: Path) -> None:
    first = StatisticsRow(16, "c1", "filter", *map(float, range(18)))
    second = first._replace(batchno=8, values_mean=float("nan"), values_max=float("inf"))
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        for row in (first, first._replace(values_mean=5.0), second):
            records.statistics(row)
    with reading(tmp_path / "r.db") as connection:
        rows = snapshots.statistics(connection, 1)
        assert connection.execute("SELECT values_mean FROM statistics ORDER BY batchno").fetchone()[0] is None
    assert [row.batchno for row in rows] == [8, 16]
    assert np.isnan(rows[0].values_mean)
    assert rows[0][4:] == second[4:]
    assert rows[1] == first._replace(values_mean=5.0)


def test_a_resumed_run_drops_later_snapshots(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        for step in (1, 2, 32):
            records.snapshot(snapshot(step, ["c1.filter"]))
            records.statistics(StatisticsRow(step, "c1", "filter", *[0.0] * 18))
        records.finish(RunStatus.INTERRUPTED)
        records.resume("u1", 2)
        for step in (2, 32):
            records.snapshot(snapshot(step + 7, ["c1.filter"]))
        records.snapshot(snapshot(2, ["c1.filter"]))  # once more: no second set of rows
    with reading(tmp_path / "r.db") as connection:
        assert snapshots.steps(connection, 1) == [1, 2, 9, 39]
        assert [row.batchno for row in snapshots.statistics(connection, 1)] == [1, 2]
        count = "SELECT count(*), count(DISTINCT batchno) FROM chunks"
        assert tuple(connection.execute(count).fetchone()) == (4, 4)
        assert len(connection.execute("SELECT * FROM data").fetchall()) == 4 * 288


def test_an_array_of_many_chunks_and_few_rows(tmp_path: Path) -> None:
    """More chunks than SQLite cuts at a time, and than the view has to count to."""
    values = np.arange(300 * 512 + 5, dtype=np.float32)
    [place] = places({"fc1.weights": (5, len(values) // 5)}).values()
    values = values[: place.size]
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        records.snapshot(Snapshot(1, {place: (values, -values)}))
    with reading(tmp_path / "r.db") as connection:
        read = snapshots.tensor(connection, 1, "fc1.weights", 1)
        sizes = connection.execute("SELECT DISTINCT length(vals), length(grads) FROM chunks ORDER BY chunk").fetchall()
        assert connection.execute("SELECT count(*), max(chunk) FROM chunks").fetchone()[:] == (301, 300)
    assert np.array_equal(read[0].ravel(), values)
    assert np.array_equal(read[1].ravel(), -values)
    assert [tuple(row) for row in sizes] == [(2048, 2048), (4 * (place.size % 512),) * 2]


def test_histograms_of_one_array(tmp_path: Path) -> None:
    [place] = places({"c1.bias": (2,)}).values()
    zeros = {place: (np.zeros(2, np.float32),) * 2}
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        for step in (2, 1, 3):
            low = None if step == 3 else -1.0 * step
            arrays = [("filter", "values"), ("filter", "gradients"), ("bias", "values")]
            rows = [
                HistogramRow(step, "c1", array, what, low, low, f"[{step}, {number}]")
                for number, (array, what) in enumerate(arrays)
            ]
            records.snapshot(Snapshot(step, zeros, rows))
    with reading(tmp_path / "r.db") as connection:
        found = snapshots.histograms(connection, 1, "c1.filter", "values")
        assert found == [(1, -1.0, -1.0, [1, 0]), (2, -2.0, -2.0, [2, 0])]
        assert snapshots.histograms(connection, 1, "c1.bias", "values")[0][3] == [1, 2]
        assert snapshots.histograms(connection, 1, "c1.bias", "gradients") == []


def test_a_snapshot_takes_little_more_than_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    sizes = []
    for number in range(2):
        with Recorder(path) as records:
            records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7))
            for step in range(1, 11):
                records.snapshot(snapshot(step + 10 * number))
        sizes.append(path.stat().st_size)
    numbers = 137_178 * 2 * 4
    assert numbers < (sizes[1] - sizes[0]) / 10 < 1.18 * numbers


def test_the_kernel_that_moved_most(tmp_path: Path) -> None:
    begin = np.zeros((2, 3, 2, 2), np.float32)
    end = begin.copy()
    end[1, 0], end[0, 2, 1, 1], end[1, 2] = 1.0, 3.0, np.inf  # kernels 3, 2 and 5: they moved by 2, 3 and infinitely
    only = places({"c1.filter": begin.shape})["c1.filter"]
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        for step, values in ((1, begin), (2, end + 9), (3, end)):
            records.snapshot(Snapshot(step, {only: (values, begin)}))
    with reading(tmp_path / "r.db") as connection:
        assert snapshots.moved_most(connection, 1, "c1.filter") == 2
