"""Writes a snapshot: the arrays of a model in chunks, as bytes."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.records.deleted_snapshots import recall, sweep
from engine.records.places import Place
from engine.records.rows import HistogramRow
from engine.records.snapshot_tables import CHUNK

Array = NDArray[np.float32]
BYTES = 4 * CHUNK  # of the values of a chunk
PIECE = 128  # chunks that SQLite cuts at a time from a blob, which it copies: no array is too large for it

# Fills `numbers`, which the view and the statement below count with, up to the given one.
_NUMBERS = """
INSERT INTO numbers
WITH RECURSIVE missing(n) AS (
  SELECT coalesce(max(n), -1) + 1 FROM numbers UNION ALL SELECT n + 1 FROM missing WHERE n < ?1
)
SELECT n FROM missing WHERE n < ?1
"""
_SNAPSHOTS = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# SQLite cuts the chunks itself: rows that Python cuts cost more CPU time, and take the GIL some hundred times.
_CHUNKS = f"""
INSERT OR REPLACE INTO chunks
SELECT ?1, ?2, ?3 + n, substr(?4, {BYTES} * n + 1, {BYTES}), substr(?5, {BYTES} * n + 1, {BYTES})
FROM numbers WHERE n < ?6
"""  # noqa: S608
_HISTOGRAMS = "INSERT OR REPLACE INTO histograms VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Snapshot:
    """What is written of the step `batchno`: `values` and `gradients` by place, flat in C order of the public shape."""

    batchno: int
    arrays: Mapping[Place, tuple[Array, Array]]
    histograms: Sequence[HistogramRow] = ()


def write_snapshot(connection: sqlite3.Connection, start_id: int, snapshot: Snapshot) -> None:
    """Write the rows of a snapshot; those of an earlier one of the same step are replaced.

    As many chunks of deleted snapshots, of whichever run, go as it has: where there are any, the file does not grow.
    """
    batchno = snapshot.batchno
    recall(connection, start_id, batchno)
    sweep(connection, sum(-(-place.size // CHUNK) for place in snapshot.arrays))
    rows = [place.row(start_id, batchno) for place in snapshot.arrays]
    connection.execute(_NUMBERS, (max(PIECE, *(max(p.matrices, p.rows, p.cols) for p in snapshot.arrays)),))
    connection.executemany(_SNAPSHOTS, rows)
    connection.executemany(_CHUNKS, _pieces(start_id, snapshot))
    connection.executemany(_HISTOGRAMS, [(start_id, *row) for row in snapshot.histograms])


def _pieces(start_id: int, snapshot: Snapshot) -> Iterator[tuple[object, ...]]:
    """Yield what `_CHUNKS` wants, some chunks at a time; the blobs are views, not copies."""
    for place, arrays in snapshot.arrays.items():
        values, gradients = (np.ascontiguousarray(array, "<f4").data.cast("B") for array in arrays)
        for start in range(0, len(values), PIECE * BYTES):
            piece = slice(start, min(start + PIECE * BYTES, len(values)))
            chunks = -(-(piece.stop - start) // BYTES)
            yield start_id, snapshot.batchno, place.chunk + start // BYTES, values[piece], gradients[piece], chunks
