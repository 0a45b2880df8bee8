"""How much of a database is one run's."""

import sqlite3

from engine.records.schema import COLUMNS

NUMBER = 8  # bytes
# A chunk has values and gradients, float32. Their number is in `snapshots`: no chunk has to be read.
_CHUNKS = 'SELECT coalesce(sum(8 * matrices * "rows" * cols), 0) FROM snapshots WHERE startID = ?'


def run_bytes(connection: sqlite3.Connection, run: int) -> int:
    """Return the bytes of all values of a run: 4 for each in a snapshot, elsewhere 8 for a number, and those of texts.

    What the run takes of the file differs a little: there are keys, and SQLite stores small numbers in fewer bytes.
    """
    tables = [table for table, columns in COLUMNS.items() if "startID" in columns and table != "chunks"]
    queries = [_CHUNKS, *map(_query, tables)]
    return sum(int(connection.execute(sql, (run,)).fetchone()[0]) for sql in queries)


def _query(table: str) -> str:
    """Return SQL for the bytes of the rows of a run in a table without blobs."""
    kinds = {name: kind for name, (kind, _) in COLUMNS[table].items()}
    texts = "".join(f' + coalesce(sum(length("{name}")), 0)' for name, kind in kinds.items() if kind == "TEXT")
    numbers = sum(kind != "TEXT" for kind in kinds.values())
    return f"SELECT {NUMBER * numbers} * count(*){texts} FROM {table} WHERE startID = ?"  # noqa: S608
