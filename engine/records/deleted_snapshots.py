"""Snapshots that are deleted: no reader sees them any more, and later snapshots take the place of their chunks.

Nearly all of a database is chunks, and to delete one is to read its page: minutes for a large run, which who deletes it
would have to wait for, and who trains into the same database, too. So a deletion takes only the rows of `snapshots`,
without which nobody finds chunks, and notes in `deleted_snapshots` whose chunks are left.
"""

import sqlite3

_ALL_BUT = "startID = ?1 AND batchno > ?2 AND (?3 = 0 OR batchno % ?3 <> 0)"
_NOTE = f"INSERT OR IGNORE INTO deleted_snapshots SELECT DISTINCT startID, batchno FROM snapshots WHERE {_ALL_BUT}"  # noqa: S608
_CHUNKS = """
DELETE FROM chunks WHERE rowid IN (SELECT rowid FROM chunks WHERE startID = ? AND batchno = ? LIMIT ?)
"""
_DONE = """
DELETE FROM deleted_snapshots AS d WHERE startID = ? AND batchno = ?
  AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.startID = d.startID AND c.batchno = d.batchno)
"""


def delete_snapshots(connection: sqlite3.Connection, run: int, first: int = 0, every: int = 0) -> int:
    """Delete the snapshots of `run` but those of the `first` steps, and of every `every`th; return how many.

    0 for `every`: only the `first` steps keep theirs. Histograms are left. To be called in a transaction, which is
    small: one row an array of each snapshot.
    """
    noted = connection.execute(_NOTE, (run, first, every)).rowcount
    connection.execute(f"DELETE FROM snapshots WHERE {_ALL_BUT}", (run, first, every))  # noqa: S608
    return noted


def thin_snapshots(connection: sqlite3.Connection, run: int, first: int, every: int) -> int:
    """Delete what `delete_snapshots` does, with its histograms, and return how many snapshots that were."""
    connection.execute(f"DELETE FROM histograms WHERE {_ALL_BUT}", (run, first, every))  # noqa: S608
    return delete_snapshots(connection, run, first, every)


def sweep(connection: sqlite3.Connection, chunks: int) -> int:
    """Delete at most so many chunks of deleted snapshots, and return how many those were. Call it in a transaction."""
    left = chunks
    while left > 0:
        found = connection.execute("SELECT startID, batchno FROM deleted_snapshots LIMIT 1").fetchone()
        if found is None:
            break
        left -= connection.execute(_CHUNKS, (*found, left)).rowcount
        connection.execute(_DONE, tuple(found))
    return chunks - left


def recall(connection: sqlite3.Connection, run: int, step: int) -> None:
    """Forget that a snapshot was deleted, with its chunks: it is about to be written again."""
    sql = "DELETE FROM deleted_snapshots WHERE startID = ? AND batchno = ?"
    if connection.execute(sql, (run, step)).rowcount:
        connection.execute("DELETE FROM chunks WHERE startID = ? AND batchno = ?", (run, step))
