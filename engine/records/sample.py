"""Some steps of a run, evenly spread, found by key: a picture shows no more, however many there are."""

import sqlite3
from collections.abc import Sequence


def steps_with_rows(
    connection: sqlite3.Connection, table: str, run: int, most: int, which: str = "", values: Sequence[object] = ()
) -> list[int] | None:
    """Return at most `most` of the steps of `run` that have rows in `table`, ascending, the first and last among them.

    None if there are no more than that: then every row is wanted. `which` is SQL that leaves out some rows, with
    `values`.
    """
    there = f"FROM {table} WHERE startID = ? AND batchno >= ? {which} ORDER BY batchno"
    found = connection.execute(f"SELECT DISTINCT batchno {there} LIMIT ?", (run, 0, *values, most + 1)).fetchall()
    if len(found) <= most:
        return None
    first = found[0][0]
    [last] = connection.execute(f"SELECT batchno {there} DESC LIMIT 1", (run, 0, *values)).fetchone()
    chosen = dict[int, None]()
    for number in range(most):
        wanted = first + (last - first) * number // (most - 1)
        [step] = connection.execute(f"SELECT batchno {there} LIMIT 1", (run, wanted, *values)).fetchone()
        chosen[step] = None
    return list(chosen)
