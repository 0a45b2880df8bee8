"""Writes and reads sweeps and their trials."""

import json
import math
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import RecordsError
from engine.records.columns import readable
from engine.records.database import check_version
from engine.records.find import last_of
from engine.records.history import validations
from engine.records.read import reading
from engine.records.read_rows import Validation
from engine.records.rows import SweepRow, TrialRow
from engine.records.statements import by_column, insert, plain
from engine.records.status import RunStatus, TrialStatus
from engine.system.processes import alive

_JSON = ("over", "settings", "models", "reading")
_TRIALS = """
SELECT t.*, r.reason, r.params_sha256,
  (SELECT max(batchno) FROM training s WHERE s.startID = t.startID) AS steps
FROM (SELECT {} FROM trials) t LEFT JOIN runs r ON r.startID = t.startID
WHERE t.sweep = ? AND t.number = coalesce(?, t.number) ORDER BY t.number
"""
_RUNNING = f"""
SELECT t.number, r.host, r.pid, r.process FROM trials t JOIN runs r USING (startID)
WHERE t.sweep = ? AND r.state = '{RunStatus.RUNNING}'
"""  # noqa: S608
_SINCE = 3  # version of the tables that first had sweeps


class Point(NamedTuple):
    """A validation: after how many epochs (with fraction) and steps, and the percent correct, or R²."""

    epoch: float
    step: int
    score: float


@dataclass(frozen=True)
class TrialRecord:
    """A trial, and the records of its run: its validations in order, why it ended, and its last parameters.

    `steps` is the last step that has a row, 0 if there is none.
    """

    row: TrialRow
    curve: tuple[Point, ...] = field(default_factory=tuple)
    reason: str | None = None
    params_sha256: str | None = None
    steps: int = 0


def insert_sweep(connection: sqlite3.Connection, row: SweepRow, created: str) -> int:
    """Enter a sweep and return its number; RecordsError if there is one of that name."""
    if connection.execute("SELECT 1 FROM sweeps WHERE name = ?", plain([row.name])).fetchone():
        raise RecordsError(f"there is a sweep {row.name!r} already: continue it (--resume), or choose another name")
    values = vars(row) | {name: json.dumps(dict(getattr(row, name))) for name in _JSON} | {"created": created}
    columns, new = by_column(values)
    return int(connection.execute(insert("sweeps", columns), new).lastrowid or 0)


def set_trials(connection: sqlite3.Connection, sweep: int, trials: int) -> None:
    """Change how many trials a sweep is to have."""
    connection.execute("UPDATE sweeps SET trials = ? WHERE sweep = ?", (trials, sweep))


def find_sweep(path: Path | str, text: str) -> tuple[int, SweepRow]:
    """Return number and definition of the sweep of the database `path` that `text` means: its number or its name.

    Raises RecordsError as `reading` does, and when there is no such sweep.
    """
    with reading(path) as connection:
        old = check_version(connection, Path(path)) < _SINCE
        rows = [] if old else connection.execute("SELECT * FROM sweeps ORDER BY sweep").fetchall()
    for row in rows:
        if text in (str(row["sweep"]), row["name"]):
            return row["sweep"], _sweep(row)
    there = last_of((row["sweep"], row["name"]) for row in rows) or "none"
    raise RecordsError(f"there is no sweep {text!a} in database {path}; it has {there}")


def check_idle(path: Path | str, sweep: int) -> None:
    """Raise RecordsError if another process is known to be carrying out a sweep of the database `path`."""
    with reading(path) as connection:
        rows = connection.execute(_RUNNING, (sweep,)).fetchall()
    for number, host, pid, process in rows:
        if pid != os.getpid() and alive(host, pid, process):
            raise RecordsError(
                f"sweep {sweep} of database {path} is still running: trial {number}, process {pid}; stop it first"
            )


def read_trials(path: Path | str, sweep: int, number: int | None = None) -> dict[int, TrialRecord]:
    """Return the trials of a sweep of the database `path` by number, or only one of them.

    Raises RecordsError as `reading` does.
    """
    with reading(path) as connection:
        sql = _TRIALS.format(readable(connection, "trials", TrialRow._fields))
        rows = connection.execute(sql, (sweep, number)).fetchall()
        return {row["number"]: _trial(connection, row) for row in rows}


def _sweep(row: sqlite3.Row) -> SweepRow:
    there = set(row.keys())  # an earlier version's table may not have all columns
    values: dict[str, Any] = {name: row[name] for name in SweepRow.__dataclass_fields__ if name in there}
    what = f"sweep {row['sweep']}"
    return SweepRow(**values | {name: _parsed(what, name, values.get(name) or "{}") for name in _JSON})


def _parsed(what: str, column: str, text: Any) -> dict[str, Any]:
    """Return the JSON object in `text`; RecordsError if there is none, naming whose column it is."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RecordsError(f"{what}: the database has for its {column} no JSON object, but {text!r:.60}")
    return found


def _score(row: Validation) -> float:
    """Return the percent correct, or R²; nan where the database has neither, which stands for an R² that is nan."""
    score = row["r2"] if row["corperc"] is None else row["corperc"]
    return math.nan if score is None or row["avgloss"] is None else score


def _trial(connection: sqlite3.Connection, row: Sequence[Any]) -> TrialRecord:
    *values, reason, digest, steps = row
    found = validations(connection, row[TrialRow._fields.index("startID")])
    curve = tuple(Point(v["epoch"], v["batchno"], _score(v)) for v in found)
    trial = TrialRow._make(values)
    what = f"trial {trial.number} of sweep {trial.sweep}"
    _parsed(what, "parameters", trial.parameters)
    if trial.state not in set(TrialStatus):
        raise RecordsError(f"{what} has an unknown state in the database: {trial.state!a:.60}")
    return TrialRecord(trial._replace(state=TrialStatus(trial.state)), curve, reason, digest, steps or 0)
