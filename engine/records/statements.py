"""The statements that write rows, and values as SQLite takes them.

sqlite-utils could write rows as well, for 12 us of CPU time each where executemany takes 4 (45 rows a transaction, 90
steps a second); and every run would have to import it, which takes 60 ms.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.records.rows import (
    ClassRow,
    ConfusionRow,
    EventRow,
    StatisticsRow,
    TrainingRow,
    TrialRow,
    ValidationRow,
    WorkerRow,
)


def insert(table: str, columns: Iterable[str], or_replace: bool = False) -> str:
    """Return the insert of a row; `or_replace`: in the place of one with the same primary key."""
    names = [f'"{name}"' for name in columns]
    verb = "INSERT OR REPLACE" if or_replace else "INSERT"
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def upsert(table: str, columns: Iterable[str], key: Iterable[str], kept: Iterable[str]) -> str:
    """Return the insert of a row that updates one with the same `key`, whose `kept` columns no NULL replaces."""
    columns, key, kept = list(columns), list(key), set(kept)
    changes = (
        f'"{name}" = coalesce(excluded."{name}", "{name}")' if name in kept else f'"{name}" = excluded."{name}"'
        for name in columns
        if name not in key
    )
    return f"{insert(table, columns)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(changes)}"


def insert_unless_there(table: str, columns: Iterable[str]) -> str:
    """Return the insert of a row, which does nothing where there is one with the same values."""
    names = [f'"{name}"' for name in columns]
    values = ", ".join(f"?{n}" for n in range(1, len(names) + 1))
    same = " AND ".join(f"{name} IS ?{n}" for n, name in enumerate(names, 1))
    there = f"SELECT 1 FROM {table} WHERE {same}"  # noqa: S608
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} WHERE NOT EXISTS ({there})"


def update(table: str, columns: Iterable[str], key: str) -> str:
    """Return the update of the row whose `key` is the last of the values."""
    changes = ", ".join(f'"{name}" = ?' for name in columns)
    return f"UPDATE {table} SET {changes} WHERE {key} = ?"  # noqa: S608


# How a row of each table is written: the number of the run (of a trial, of the sweep), then the fields of its class.
STATEMENTS: dict[str, str] = {
    "training": insert("training", ("startID", *TrainingRow._fields), or_replace=True),
    "validation": insert("validation", ("startID", *ValidationRow._fields), or_replace=True),
    "classes": insert("classes", ("startID", *ClassRow._fields), or_replace=True),
    "confusion": insert("confusion", ("startID", *ConfusionRow._fields), or_replace=True),
    "events": insert("events", ("startID", *EventRow._fields)),
    "statistics": insert("statistics", ("startID", *StatisticsRow._fields), or_replace=True),
    "trials": insert("trials", TrialRow._fields, or_replace=True),
    # A later row that leaves out who a worker is does not change it; what it did is as the later row says.
    "workers": upsert(
        "workers",
        ("startID", *WorkerRow._fields),
        key=("startID", "worker"),
        kept=("host", "pid", "joined", "fingerprint", "key", "place"),
    ),
}
# Of rows that may have been written before: all others replace what is there, or are told apart by their key.
ONCE = {"events": insert_unless_there("events", ("startID", *EventRow._fields))}


def plain(values: Iterable[object]) -> tuple[Any, ...]:
    """Return `values` as SQLite takes them."""
    return tuple(map(_plain, values))


def by_column(values: Mapping[str, object]) -> tuple[list[str], tuple[Any, ...]]:
    """Return the columns of `values`, and the values as SQLite takes them."""
    return list(values), plain(values.values())


def _plain(value: object) -> object:
    """Return numpy scalars as Python's, paths as text, and text as Unicode."""
    if isinstance(value, np.generic):
        # SQLite would store the bytes of a numpy scalar.
        return value.item()
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        # A file name or argument with bytes that are not UTF-8 reaches Python as lone surrogates.
        return value.encode("utf-8", "backslashreplace").decode()
    return value
