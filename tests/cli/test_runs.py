"""`gradsum runs`: legible in a narrow terminal, one line a run when piped, every column as JSON and CSV."""

import argparse
import csv
import io
import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.commands.runs import COMMAND
from engine.errors import RecordsError
from engine.records import COLUMNS, Recorder, RunRow, RunStatus
from tests.support.repository import ROOT

SCRIPT = """
import sys; from engine.cli.commands.runs import COMMAND
sys.exit(COMMAND.run(COMMAND.parser().parse_args(sys.argv[1:])))
"""


def parse(*arguments: object) -> argparse.Namespace:
    return COMMAND.parser().parse_args(list(map(str, arguments)))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RunRow("letters", "letters", "momentum", 1e-3, 64, 8, 16, 7, generated=True, settings={"a": [1]}))
        totals = {"steps": 123456, "best_percent": 97.123, "images_per_second": 12345.6}
        records.finish(RunStatus.INTERRUPTED, "Ctrl-C", train_loss=math.inf, **totals)  # type: ignore[arg-type]
        records.begin(RunRow("[red]mlp", "mnist", "sgd", 0.05, 64, 8, 0, 7))
    return path


def test_piped_it_is_one_line_a_run(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMAND.run(parse("--db", database)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split()[0] == "1"
    for word in ("letters generated", "momentum 0.001", "16", "123456", "97.12", "12346", "interrupted"):
        assert word in lines[-2]
    assert "[red]mlp" in lines[-1]
    assert "mnist  " in lines[-1]
    assert "generated" not in lines[-1]


def test_in_a_terminal_of_80_columns_nothing_is_cut(database: Path) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "-c", SCRIPT, "--db", str(database)]
    environment = os.environ | {"COLUMNS": "80", "TERM": "dumb"}
    assert subprocess.run(command, stdout=side, env=environment, check=False, cwd=ROOT, timeout=60).returncode == 0
    os.close(side)
    out = os.read(main, 100_000).decode()
    os.close(main)
    assert max(map(len, out.splitlines())) <= 80
    for word in ("letters", "generated", "momentum", "0.001", "123456", "97.12", "12346", "interrupted"):
        assert word in out
    assert len(out.splitlines()) == 2 * 3, "the heading and two runs"
    assert re.search(r"(?m)^ *\d+ +[01]\d-[0-3]\d letters", out), "month and day"


def test_json_has_every_column(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMAND.run(parse("--db", database, "--json")) == 0
    first, second = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [*first] == [*COLUMNS["runs"], "best_checkpoint"]
    assert (first["settings"], first["generated"], first["train_loss"]) == ({"a": [1]}, True, None)
    assert (second["startID"], second["lr"], second["best_percent"]) == (2, 0.05, None)


def test_csv_has_every_column(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMAND.run(parse("--db", database, "--csv")) == 0
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert [*first] == [*COLUMNS["runs"], "best_checkpoint"]
    assert (json.loads(first["settings"]), first["generated"], first["steps"]) == ({"a": [1]}, "1", "123456")
    assert (second["model"], second["best_percent"]) == ("[red]mlp", "")


def test_an_empty_and_a_missing_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Recorder(tmp_path / "r.db").close()
    assert COMMAND.run(parse("--db", tmp_path / "r.db")) == 0
    assert capsys.readouterr().out == f"database {tmp_path / 'r.db'} has no runs yet\n"
    assert COMMAND.run(parse("--db", tmp_path / "r.db", "--json")) == 0
    assert json.loads(capsys.readouterr().out) == []
    with pytest.raises(RecordsError, match="there is no database"):
        COMMAND.run(parse("--db", tmp_path / "no.db"))
    assert parse().db == Path("runs/gradsum.db")
    with pytest.raises(SystemExit):
        parse("--json", "--csv")
