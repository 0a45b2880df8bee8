"""Writes a snapshot: the arrays of a model in chunks, as bytes."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.records.places import Place
from engine.records.rows import HistogramRow
from engine.records.snapshot_tables import CHUNK

Array = NDArray[np.float32]

_SNAPSHOTS = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHUNKS = "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)"
_HISTOGRAMS = "INSERT OR REPLACE INTO histograms VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Snapshot:
    """What is written of the step `batchno`: `values` and `gradients` by place, flat in C order of the public shape."""

    batchno: int
    arrays: Mapping[Place, tuple[Array, Array]]
    histograms: tuple[HistogramRow, ...] = ()


def write_snapshot(connection: sqlite3.Connection, start_id: int, snapshot: Snapshot) -> None:
    """Write the rows of a snapshot; those of an earlier one of the same step are replaced."""
    batchno = snapshot.batchno
    rows = [place.row(start_id, batchno) for place in snapshot.arrays]
    _count_to(connection, max(max(p.matrices, p.rows, p.cols) for p in snapshot.arrays))
    connection.executemany(_SNAPSHOTS, rows)
    connection.executemany(_CHUNKS, _chunks(start_id, snapshot))
    histograms = [(start_id, *row) for row in snapshot.histograms]
    connection.executemany(_HISTOGRAMS, histograms)


def _chunks(start_id: int, snapshot: Snapshot) -> Iterator[tuple[object, ...]]:
    """Yield the rows of `chunks`; the blobs are views, not copies."""
    for place, arrays in snapshot.arrays.items():
        values, gradients = (np.ascontiguousarray(array, "<f4").data.cast("B") for array in arrays)
        for number, start in enumerate(range(0, len(values), 4 * CHUNK), place.chunk):
            piece = slice(start, start + 4 * CHUNK)
            yield start_id, snapshot.batchno, number, values[piece], gradients[piece]


def _count_to(connection: sqlite3.Connection, count: int) -> None:
    """Have at least the numbers 0 to `count` - 1 in the table that the view counts with."""
    (there,) = connection.execute("SELECT coalesce(max(n), -1) + 1 FROM numbers").fetchone()
    connection.executemany("INSERT OR IGNORE INTO numbers VALUES (?)", ((n,) for n in range(there, count)))
