"""How much of a database is one run's, and how much a snapshot takes."""

import sqlite3
from collections.abc import Iterable

from engine.records.places import Place
from engine.records.schema import COLUMNS, RUN_TABLES
from engine.records.snapshot_tables import CHUNK

NUMBER = 8  # bytes
# Bytes of the file that a chunk takes: a page of 32,768 holds seven, and there is its key. So it is in databases with
# such pages; which steps have a snapshot may not depend on the database.
CHUNK_BYTES = 32_768 // 7 + 24
ARRAY_BYTES = 250  # of the row in `snapshots`, and of what each of two histograms has besides its counts
# A chunk has values and gradients, float32. Their number is in `snapshots`: no chunk has to be read.
_CHUNKS = 'SELECT coalesce(sum(8 * matrices * "rows" * cols), 0) FROM snapshots WHERE startID = ?'


def run_bytes(connection: sqlite3.Connection, run: int) -> int:
    """Return the bytes of all values of a run: 4 for each in a snapshot, elsewhere 8 for a number, and those of texts.

    What the run takes of the file differs a little: there are keys, and SQLite stores small numbers in fewer bytes.
    """
    tables = [table for table in RUN_TABLES if table != "chunks"]
    queries = [_CHUNKS, *map(_query, tables)]
    return sum(int(connection.execute(sql, (run,)).fetchone()[0]) for sql in queries)


def snapshot_bytes(places: Iterable[Place], bins: int) -> int:
    """Return the most bytes that a snapshot of these arrays takes in the file, with histograms of so many `bins`."""
    total = 0
    for place in places:
        histogram = bins * (len(str(place.size)) + len(", "))  # as text
        total += -(-place.size // CHUNK) * CHUNK_BYTES + 3 * ARRAY_BYTES + 2 * histogram
    return total


def _query(table: str) -> str:
    """Return SQL for the bytes of the rows of a run in a table without blobs."""
    kinds = {name: kind for name, (kind, _) in COLUMNS[table].items()}
    texts = "".join(f' + coalesce(sum(length("{name}")), 0)' for name, kind in kinds.items() if kind == "TEXT")
    numbers = sum(kind != "TEXT" for kind in kinds.values())
    return f"SELECT {NUMBER * numbers} * count(*){texts} FROM {table} WHERE startID = ?"  # noqa: S608
