"""Columns of a table from a class of rows: the type of an annotation is the column's, its text is the meaning."""

import sqlite3
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

Columns = dict[str, tuple[str, str]]  # by name: the type in SQL, and the meaning

_TYPES: tuple[tuple[type, str], ...] = (
    (int, "INTEGER"),
    (float, "REAL"),
    (str, "TEXT"),
    (bytes, "BLOB"),
    (Mapping, "TEXT"),  # as JSON
)


def columns_of(row: type) -> Columns:
    """Return the columns of the fields of `row`, each of which is `Annotated[type, meaning]`."""
    return {name: column(hint) for name, hint in get_type_hints(row, include_extras=True).items()}


def column(hint: Any) -> tuple[str, str]:
    """Return the type in SQL and the meaning of a column annotated with `Annotated[type, meaning]`."""
    kind, meaning = get_args(hint)
    return sql_type(kind), meaning


def sql_type(hint: Any) -> str:
    """Return the type of a column for values of the type `hint`; `| None` does not change it."""
    if isinstance(hint, UnionType):
        [hint] = (part for part in get_args(hint) if part is not type(None))
    kind = get_origin(hint) or hint
    return next(name for known, name in _TYPES if issubclass(kind, known))


def readable(connection: sqlite3.Connection, table: str, names: Iterable[str]) -> str:
    """Return what to SELECT for the columns `names`: NULL for those that an earlier version's table does not have."""
    there = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    return ", ".join(name if name in there else f"NULL AS {name}" for name in names)
