"""Makes the tables, indexes and views of a database, and brings those of an earlier version up to date."""

import sqlite3
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from sqlite_utils import Database

CONSTRAINED = 5  # the first version that declares what is required and what refers to what


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Make what is missing in a database whose tables are of `version`, 0 where there are none.

    To be called in a transaction. Rows stay as they are; earlier versions of the program cannot open the result.
    """
    # Takes 60 ms of CPU time to import, and only a new database or one of an earlier version needs it.
    from sqlite_utils import Database  # noqa: PLC0415

    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    there = set(db.table_names())
    for table in COLUMNS:
        if table not in there:
            _create(db, table)
            continue
        _add_columns(db, table)
        if version < CONSTRAINED:
            _constrain(db, table)
    for name, (table, columns, unique) in INDEXES.items():
        db.table(table).create_index(columns, name, unique=unique, if_not_exists=True)
    db.table("float32").insert_all(float32_rows(), ignore=True)
    db.create_view("data", DATA, replace=True)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _create(db: "Database", name: str) -> None:
    """Make a table. Strict ones turn a value of the wrong type into an error; SQLite has them since 3.37."""
    table, key = db.table(name), PRIMARY_KEYS[name]
    types = {column: kind for column, (kind, _) in COLUMNS[name].items()}
    if name not in NUMBERED:
        table.create(types, pk=key, not_null=REQUIRED.get(name), foreign_keys=REFERENCES.get(name), strict=True)
        return
    # sqlite-utils cannot ask for AUTOINCREMENT, but keeps it when it changes the table.
    strict = " STRICT" if db.supports_strict else ""
    db.execute(f'CREATE TABLE "{name}" ("{key[0]}" INTEGER PRIMARY KEY AUTOINCREMENT){strict}')
    _add_columns(db, name)
    _constrain(db, name)


def _add_columns(db: "Database", name: str) -> None:
    """Add the columns that a table does not have yet, NULL in the rows that it has."""
    table = db.table(name)
    there = table.columns_dict
    for column, (kind, _) in COLUMNS[name].items():
        if column not in there:
            table.add_column(column, kind)


def _constrain(db: "Database", name: str) -> None:
    """Declare what is required in a table and what it refers to, by copying it."""
    if name in REQUIRED:
        references = [*REFERENCES.get(name, ())]
        db.table(name).transform(not_null=set(REQUIRED[name]), foreign_keys=references)
