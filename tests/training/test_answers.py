"""What the records say of each class after a run, and that workers count what one process counts."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.data.letters import letters
from engine.records import read_run
from tests.support.command import Gradsum

RUN: dict[str, Any] = {"batch_size": 60, "microbatch": 8, "snapshot_first": 0, "snapshot_every": 0, "steps": 20}


@pytest.fixture(autouse=True)
def backend(numpy_kernels: None) -> None:
    """Use numpy's kernels."""


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


CONTENT = ("SELECT * FROM classes", "SELECT * FROM confusion", "SELECT batchno, topk, topperc FROM validation")


def test_the_records_of_each_class(gradsum: Gradsum) -> None:
    data = letters(train=260, test=90, seed=7)
    result = engine.train("mlp", data, workers=0, db="0.db", out="0", validate_every=10, lr=0.01, **RUN)
    answers = result.network.logits(data.test.images)
    said, labels = answers.argmax(axis=1), data.test.labels
    matrix = np.zeros((26, 26), int)
    np.add.at(matrix, (labels, said), 1)
    found = np.zeros((26, 26), int)
    for label, answer, samples in rows(Path("0.db"), "SELECT label, answer, samples FROM confusion WHERE batchno = 20"):
        found[label, answer] = samples
    assert np.array_equal(found, matrix)
    record = read_run(Path("0.db"), "1")
    assert [(row["batchno"], row["name"]) for row in record.classes] == [(20, name) for name in data.classes]
    for k, row in enumerate(record.classes):
        samples, answered, right = int((labels == k).sum()), int((said == k).sum()), int(matrix[k, k])
        assert (row["samples"], row["answers"], row["correct"]) == (samples, answered, right)
        assert row["recall"] == (right / samples if samples else None)
        assert row["precision"] == (right / answered if answered else None)
    among = np.mean([label in np.argsort(-row)[:5] for row, label in zip(answers, labels, strict=True)])
    assert [row["topk"] for row in record.validation] == [5, 5]
    assert record.validation[-1]["topperc"] == pytest.approx(100 * among)
    shown = gradsum("show", "1", "--db", "0.db").out
    assert "recall" in shown
    assert "% in top K" in shown


@pytest.mark.parametrize(
    "workers", [3, pytest.param(1, marks=pytest.mark.check), pytest.param(8, marks=pytest.mark.check)]
)
def test_workers_count_what_one_process_counts(workers: int) -> None:
    data = letters(train=260, test=300, seed=7)
    for count in (0, workers):
        given = {"top_k": 3, "validate_every": 10} | RUN
        engine.train("mlp", data, workers=count, db=f"{count}.db", out=str(count), **given)
    for sql in CONTENT:
        assert rows(Path("0.db"), sql) == rows(Path(f"{workers}.db"), sql) != []


def test_a_resumed_run_has_the_rows_of_one_that_was_not_stopped() -> None:
    data = letters(train=260, test=90, seed=7)
    engine.train("mlp", data, workers=0, db="whole.db", out="whole", validate_every=5, **RUN)
    engine.train("mlp", data, workers=0, db="parts.db", out="parts", validate_every=5, **RUN | {"steps": 10})
    engine.train("mlp", data, workers=0, resume="parts", steps=20)
    for sql in CONTENT:
        assert rows(Path("whole.db"), sql) == rows(Path("parts.db"), sql)


def test_values_and_few_classes_have_no_more_than_there_is() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    values = engine.Split(x, x[:, :1].copy())
    given: dict[str, Any] = {"workers": 0, "batch_size": 10, "microbatch": 5, "steps": 2, "db": "v.db"}
    engine.train("mlp", engine.Dataset("values", (), values, values), out="v", **given)
    assert rows(Path("v.db"), "SELECT count(*) FROM classes") == [(0,)]
    two = engine.Split(x, (x[:, 0] > 0).astype(np.int32))
    engine.train("mlp", engine.Dataset("two", ("a", "b"), two, two), out="w", **given | {"db": "w.db"})
    assert rows(Path("w.db"), "SELECT name FROM classes") == [("a",), ("b",)]
    assert rows(Path("w.db"), "SELECT topk, topperc FROM validation") == [(None, None)]
