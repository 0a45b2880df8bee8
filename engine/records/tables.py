"""Makes the tables, indexes and views of a database, and brings those of an earlier version up to date."""

import sqlite3

from engine.records.data_view import DATA, float32_rows
from engine.records.schema import (
    APPLICATION_ID,
    COLUMNS,
    INDEXES,
    NUMBERED,
    PRIMARY_KEYS,
    REFERENCES,
    REQUIRED,
    VERSION,
)

CONSTRAINED = 5  # the first version that declares what is required and what refers to what
STRICT = " STRICT" if sqlite3.sqlite_version_info >= (3, 37) else ""  # a value of the wrong type is an error


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Make what is missing in a database whose tables are of `version`, 0 where there are none.

    To be called in a transaction. Rows stay as they are; earlier versions of the program cannot open the result.
    """
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if old := [name for name in COLUMNS if name in there]:
        _change(connection, old, version)
    for name in COLUMNS:
        if name not in there:
            connection.execute(definition(name))
    for name, (of, columns, unique) in INDEXES.items():
        kind = "UNIQUE INDEX" if unique else "INDEX"
        connection.execute(f'CREATE {kind} IF NOT EXISTS "{name}" ON "{of}" ({_listed(columns)})')
    connection.executemany("INSERT OR IGNORE INTO float32 VALUES (:head, :hidden, :unit)", float32_rows())
    connection.execute("DROP VIEW IF EXISTS data")
    connection.execute(f"CREATE VIEW data AS {DATA}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def definition(name: str) -> str:
    """Return the statement that makes a table."""
    key, required = PRIMARY_KEYS[name], REQUIRED.get(name, ())
    references = {column: f' REFERENCES "{other}"("{its}")' for column, other, its in REFERENCES.get(name, ())}
    lines = []
    for column, (kind, _) in COLUMNS[name].items():
        more = " NOT NULL" if column in required else ""
        if (column,) == key:
            more = " PRIMARY KEY AUTOINCREMENT" if name in NUMBERED else " PRIMARY KEY"
        lines.append(f'   "{column}" {kind}{more}{references.get(column, "")}')
    if len(key) > 1:
        lines.append(f"   PRIMARY KEY ({_listed(key)})")
    return f'CREATE TABLE "{name}" (\n' + ",\n".join(lines) + f"\n){STRICT}"


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _change(connection: sqlite3.Connection, names: list[str], version: int) -> None:
    """Give the tables `names`, of an earlier version, the columns that they lack, NULL in the rows that they have.

    Declare what is required in them and what refers to what as well, which takes a copy, if that `version` did not.
    """
    from sqlite_utils import Database  # noqa: PLC0415 - takes 60 ms of CPU time, and a new database does not need it

    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    for name in names:
        changed = db.table(name)
        has = changed.columns_dict
        for column, (kind, _) in COLUMNS[name].items():
            if column not in has:
                changed.add_column(column, kind)
        if version < CONSTRAINED and name in REQUIRED:
            changed.transform(not_null=set(REQUIRED[name]), foreign_keys=[*REFERENCES.get(name, ())])
