"""The rows of `runs`: what is in them at the start, and how they change."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.records.process import facts
from engine.records.rows import RunRow
from engine.records.statements import by_column, update
from engine.records.status import RunStatus

LEFT_OPEN = "its coordinator was killed or crashed"


def now() -> str:
    """Return the time as ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def last_seen(connection: sqlite3.Connection, run: int) -> str | None:
    """Return when the last step of a run was taken, as `now` returns the time; None if there was none."""
    sql = "SELECT time FROM training WHERE startID = ? ORDER BY batchno DESC LIMIT 1"
    row = connection.execute(sql, (run,)).fetchone()
    return datetime.fromtimestamp(row[0], UTC).isoformat(timespec="milliseconds") if row else None


def columns_at_start(run: RunRow) -> dict[str, Any]:
    """Return the columns of a run that begins now, in this process."""
    row = vars(run) | {
        "settings": _json(run.settings),
        "versions": _json(run.versions),
        "generated": int(run.generated),
    }
    return row | facts() | {"started": now(), "state": RunStatus.RUNNING}


def close_workers(connection: sqlite3.Connection, run: int) -> None:
    """Close the rows of workers of a run whose coordinator is gone: for all that is known, they left with it."""
    sql = """UPDATE workers SET "left" = coalesce(?, joined), reason = coalesce(reason, ?)
      WHERE startID = ? AND "left" IS NULL"""
    connection.execute(sql, (last_seen(connection, run), LEFT_OPEN, run))


def update_run(connection: sqlite3.Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change these columns of a run."""
    columns, row = by_column(values)
    connection.execute(update("runs", columns, "startID"), (*row, number))


def _json(data: Mapping[str, Any]) -> str:
    """Return `data` as JSON; what JSON does not have (a path) as its text."""
    return json.dumps(dict(data), default=str)
