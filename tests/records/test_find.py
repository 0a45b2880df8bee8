"""A run is meant by its number, its name or the beginning of its uuid; anything else is answered with what there is."""

from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RecordsError
from engine.records import (
    EventRow,
    Recorder,
    Run,
    RunRow,
    ValidationRow,
    WorkerRow,
    find_run,
    list_runs,
    read_run,
    reading,
    run_in,
)


def run(number: int, uuid: str, name: str | None = None) -> Run:
    return cast(Run, {"startID": number, "uuid": uuid, "name": name})


RUNS = [run(3, "ab12cd00"), run(7, "ab12cd99", "first try"), run(12, "77777777", "twice"), run(40, "0c00ff", "twice")]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("007", 7),  # the number 7, not the uuid that begins with it
        ("40", 40),
        ("first try", 7),
        ("ab12cd0", 3),
        ("AB12CD9", 7),
        ("777777", 12),  # there is no such number
        ("0c00ff", 40),
    ],
)
def test_what_means_a_run(text: str, number: int) -> None:
    assert find_run(RUNS, text, "r.db")["startID"] == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8", r"there is no run '8' in database r.db; it has runs 3, 7 \('first try'\), 12 \('twice'\), 40"),
        ("first", "there is no run 'first'"),
        ("", "there is no run ''"),
        ("-1", "there is no run '-1'"),
        ("٣", "there is no run '٣'"),
        ("\x1b[2J", r"there is no run '\\x1b\[2J'"),
        ("77777", "there is no run '77777'"),  # too little of a uuid
        ("ab12cd", r"'ab12cd' is more than one run of database r.db: runs 3, 7 \('first try'\); give the number"),
        ("twice", r"more than one run .*12 \('twice'\), 40 \('twice'\)"),
    ],
)
def test_what_means_none_or_several(text: str, words: str) -> None:
    with pytest.raises(RecordsError, match=words):
        find_run(RUNS, text, "r.db")


def test_a_long_list_names_the_last_and_an_empty_one_says_so() -> None:
    with pytest.raises(RecordsError, match="it has runs 26, 27, 28, 29, 30 and 25 earlier"):
        find_run([run(n, f"{n:032x}") for n in range(1, 31)], "no", "r.db")
    with pytest.raises(RecordsError, match=r"r\.db has no runs yet; train something first"):
        find_run([], "1", "r.db")


@given(
    st.text(max_size=80),
    st.lists(st.tuples(st.text("0123456789abcdef", min_size=1), st.none() | st.text()), max_size=8),
)
def test_any_text_finds_a_run_it_describes_or_is_refused_in_one_line(
    text: str, known: list[tuple[str, str | None]]
) -> None:
    runs = [run(i + 1, uuid, name) for i, (uuid, name) in enumerate(known)]
    try:
        found = find_run(runs, text, "r.db")
    except RecordsError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 4000
    else:
        described = (
            str(found["startID"]) == text.lstrip("0"),
            found["name"] == text,
            found["uuid"].startswith(text.lower()),
        )
        assert any(described)


def test_a_run_is_read_with_all_that_belongs_to_it_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    for uuid in ("a", "b"):
        with Recorder(path) as records:
            records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid=uuid, name=f"run {uuid}"))
            for step in (9, 5):
                records.validation(ValidationRow(step, 1, 0, 0, 0, 50.0 + step, 1))
            for name in ("host:10", "host:9"):
                records.worker(WorkerRow(name, joined="2026-01-01T00:00:00.000+00:00"))
            records.event(EventRow("joined", f"to {uuid}"))
            records.event(EventRow("left"))
    record = read_run(path, "run b")
    assert record.run == list_runs(path)[1]
    assert [(row["startID"], row["batchno"], row["corperc"]) for row in record.validation] == [(2, 5, 55), (2, 9, 59)]
    assert [row["worker"] for row in record.workers] == ["host:9", "host:10"]
    assert [(row["kind"], row["text"]) for row in record.events] == [("joined", "to b"), ("left", "")]


def test_without_a_name_it_is_the_newest_run(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.db") as records:
        for _ in range(3):
            records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
    with reading(tmp_path / "r.db") as connection:
        assert [run_in(connection, tmp_path / "r.db", text)["startID"] for text in (None, "1", "3")] == [3, 1, 3]
        with pytest.raises(RecordsError, match="there is no run ''"):
            run_in(connection, tmp_path / "r.db", "")


def test_an_empty_file_has_no_runs(tmp_path: Path) -> None:
    (tmp_path / "r.db").touch()
    with pytest.raises(RecordsError, match="has no runs yet"):
        read_run(tmp_path / "r.db", "1")
