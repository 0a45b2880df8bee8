"""`gradsum show` and `gradsum compare`: all that is on record, for people, as JSON and as CSV."""

import csv
import io
import json
from pathlib import Path

import pytest

from engine.cli.commands.compare import compare
from engine.records import COLUMNS, EventRow, Recorder, RunRow, RunStatus, ValidationRow, WorkerRow, list_runs
from engine.reports.groups import groups
from tests.support.command import Gradsum

HOSTILE = "[red]a\x1b[2J<b>"  # rich's markup, a terminal's, and HTML's


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "r.db"
    for number, optimizer in enumerate(("adam", "sgd"), 1):
        with Recorder(path) as records:
            settings = {"optimizer": optimizer, "beta1": 0.9, "target": None}
            versions = {"numpy": "2.0", "numerics": "same"} | ({"new": "1"} if number == 2 else {})
            name = HOSTILE if number == 2 else None
            run = RunRow("mlp", "d", optimizer, 0.1 * number, 64, 8, 2, 7, f"{number}bcdef0", name, settings=settings)
            records.begin(RunRow(**(vars(run) | {"versions": versions})))
            records.validation(ValidationRow(1234, 1.5, 1e9, 20.25, 12.5, 91.236, 0.25))
            records.worker(WorkerRow("box:9", "box", 9, images=6400, reason="the run ended", key="0123456789abcdef"))
            records.event(EventRow("lost", f"it said {HOSTILE}", worker="box:9"))
            records.finish(RunStatus.FINISHED, "done", steps=1234, best_percent=91.236, params_sha256=f"{number}" * 64)
    return path


def test_show_says_everything(database: Path, gradsum: Gradsum) -> None:
    out = gradsum("show", 2, "--db", database).out
    run = list_runs(database)[1]
    lines = [line.split(None, 1) for line in out.splitlines()]
    for name in [*COLUMNS["runs"], *run["settings"], *run["versions"]]:
        if name not in ("settings", "versions"):
            assert any(line and line[0] == name for line in lines), name
    assert ["params_sha256", "2" * 64] in [[word.strip() for word in line] for line in lines]
    assert ["target", "-"] in [[word.strip() for word in line] for line in lines]
    rows = [line.split() for line in out.splitlines()]
    assert ["1,234", "1.50", "91.24", "0.2500", "12.5", "20.2"] in rows
    assert ["box:9", "box", "9", "0123456789abcdef", "-", "-", "-", "6,400", "-", "the", "run", "ended"] in rows
    assert "\x1b" not in out
    assert out.count(r"[red]a\x1b[2J<b>") == 3, "in the title, the name and the event"


def test_digests_can_be_copied_from_a_narrow_terminal(
    database: Path, gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out = gradsum("show", 2, "--db", database).out
    assert "…" not in out
    assert "2" * 64 in "".join(out.split())


def test_show_without_rows_says_none(tmp_path: Path, gradsum: Gradsum) -> None:
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RunRow("mlp", "d", "sgd", 0.1, 64, 8, 0, 7))
    out = gradsum("show", 1, "--db", tmp_path / "r.db").out
    for table in ("validation", "workers", "events"):
        assert f"\n{table}  none\n" in out


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_no_form_steers_a_terminal(
    form: str, database: Path, gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out = gradsum("show", 2, "--db", database, form).out
    assert "it said [red]a" in out
    assert "\x1b" not in out


def test_show_as_json_and_csv(database: Path, gradsum: Gradsum) -> None:
    found = json.loads(gradsum("show", "1bcdef", "--db", database, "--json").out)
    assert found["run"] == list_runs(database)[0]
    assert found.keys() == {"run", "validation", "workers", "events", "classes"}
    for table in ("validation", "workers", "events"):
        assert found[table][0].keys() == COLUMNS[table].keys()
    lines = list(csv.DictReader(io.StringIO(gradsum("show", "1bcdef", "--db", database, "--csv").out)))
    cells = {(line["table"], line["row"], line["column"]): line["value"] for line in lines}
    assert len(cells) == len(lines), "each place once"
    assert cells["settings", "1", "lr"] == "0.1"
    assert cells["settings", "1", "target"] == ""
    assert cells["versions", "1", "numpy"] == "2.0"
    assert cells["validation", "1234", "corperc"] == "91.236"
    assert cells["workers", "box:9", "images"] == "6400"
    assert cells["events", "1", "text"] == f"it said {HOSTILE}"


def test_every_column_is_in_a_group(database: Path) -> None:
    run = list_runs(database)[0]
    found = [name for group in groups(run).values() for name in group]
    assert COLUMNS["runs"].keys() - {"settings", "versions"} <= set(found)
    assert run["settings"].keys() | run["versions"].keys() <= set(found)


def test_compare_puts_first_what_differs(database: Path, gradsum: Gradsum) -> None:
    out = gradsum("compare", 1, 2, "--db", database).out
    above, below = out.split("the same in all")
    order = ["settings that differ", "  optimizer ", "  lr ", "results", "  state ", "  steps ", "versions that differ"]
    places = [above.index(text) for text in order]
    assert places == sorted(places)
    words = [line.split() for line in above.splitlines()]
    for line in (["optimizer", "adam", "sgd"], ["lr", "0.1", "0.2"], ["steps", "1234", "1234"], ["new", "-", "1"]):
        assert line in words
    assert "beta1" not in above
    assert "beta1 0.9" in below
    assert "lr" not in below.replace("_", " ").split()
    assert r"[red]a\x1b[2J<b>" in out


def test_compare_as_json_and_csv(database: Path, gradsum: Gradsum) -> None:
    found = json.loads(gradsum("compare", 2, 1, "--db", database, "--json").out)
    assert found["runs"] == [2, 1]
    lines = {(line["group"], line["name"]): line for line in found["lines"]}
    assert len(lines) == len(found["lines"])
    assert (lines["settings", "lr"]["values"], lines["settings", "lr"]["differs"]) == ([0.2, 0.1], True)
    assert (lines["settings", "beta1"]["values"], lines["settings", "beta1"]["differs"]) == ([0.9, 0.9], False)
    assert lines["versions", "new"]["values"] == ["1", None]
    rows = list(csv.DictReader(io.StringIO(gradsum("compare", 2, 1, "--db", database, "--csv").out)))
    assert len(rows) == len(lines)
    row = next(row for row in rows if (row["group"], row["name"]) == ("settings", "lr"))
    assert row == {"group": "settings", "name": "lr", "differs": "1", "run 2": "0.2", "run 1": "0.1"}


def test_runs_with_the_same_settings(database: Path) -> None:
    one = list_runs(database)[0]
    assert not any(line.differs for line in compare([one, one.copy(), one.copy()]))


def test_compare_takes_two_runs(database: Path, gradsum: Gradsum) -> None:
    answer = gradsum("compare", 1, "1bcdef", "--db", database)
    assert (answer.code, answer.out) == (2, "")
    assert "comparing takes two different runs, but only one was given, run 1" in answer.err
    answer = gradsum("compare", 1, 2, 3, "--db", database)
    assert answer.code == 2
    assert "there is no run '3'" in answer.err
