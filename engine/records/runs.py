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


def now() -> str:
    """Return the time as ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def columns_at_start(run: RunRow) -> dict[str, Any]:
    """Return the columns of a run that begins now, in this process."""
    row = vars(run) | {
        "settings": _json(run.settings),
        "versions": _json(run.versions),
        "generated": int(run.generated),
    }
    return row | facts() | {"started": now(), "state": RunStatus.RUNNING}


def update_run(connection: sqlite3.Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change these columns of a run."""
    columns, row = by_column(values)
    connection.execute(update("runs", columns, "startID"), (*row, number))


def _json(data: Mapping[str, Any]) -> str:
    """Return `data` as JSON; what JSON does not have (a path) as its text."""
    return json.dumps(dict(data), default=str)
