"""Rows that wait for a database which takes nothing now: compressed, and within a limit of memory."""

import sqlite3
import time

from engine.records.batch import CHANGE, Row, insert
from engine.records.database import transaction
from engine.records.row_lines import packed, unpacked
from engine.records.rows import EventRow

LIMIT = 32 << 20  # bytes: some 400,000 steps, more than an hour at 100 steps/s
PIECE = 2_000  # rows that are compressed together, and written in one transaction
# Where so much of the limit is taken, statistics are kept of every so many of the steps that have any; 0: of none.
THINNING = ((0.75, 0), (0.5, 8), (0.25, 2))


class Backlog:
    """Rows of one run, in the order in which they came.

    Statistics, most of what a run writes, are thinned first. Where `limit` bytes wait nothing more is kept, except how
    the run ends. What is left out is counted, and becomes events.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._forget()

    def _forget(self) -> None:
        self._recent: list[Row] = []
        self._pieces: list[bytes] = []
        self._bytes = self._packed_rows = 0
        self._steps: tuple[int, int] | None = None  # the first and the last that came
        self._changes: list[Row] = []  # how the run ends
        self._missing: list[tuple[int, int]] = []  # first and last steps
        self._thinned = self._measured = 0
        self._measured_step, self._kept_step = 0, True
        self._time = 0.0  # when the first row was left out
        self._run = 0

    def __len__(self) -> int:
        return self._packed_rows + len(self._recent)

    def add(self, row: Row) -> None:
        """Keep the row, if there is room for it."""
        self._run = row.values[0]
        if row.table == "statistics" and not self._keeps(row.values[1]):
            return
        if row.table == CHANGE:
            self._changes.append(row)
        elif row.table == "training":
            self._steps = (self._steps or row.values[1:2])[0], row.values[1]
        if self._bytes >= self._limit and row.table != CHANGE:
            if row.table == "training":
                self._miss(row.values[1])
            return
        self._recent.append(row)
        if len(self._recent) >= PIECE:
            self._pack()

    def content(self) -> list[bytes]:
        """Return all rows as `unpacked` reads them, with an event for each that says what is left out."""
        self._pack()
        notes = self._notes()
        return [*self._pieces, packed(notes)] if notes else list(self._pieces)

    def only_missing(self) -> list[bytes]:
        """Return instead of the rows, likewise, an event that says which steps they were of, and how the run ended."""
        said = [self._missing_event(*self._steps, "the disk of the checkpoints was full")] if self._steps else []
        return [packed([*said, *self._changes])]

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all rows, and forget each as soon as it is committed. Raises what SQLite does."""
        self._pack()
        while self._pieces:
            rows = unpacked(self._pieces[0])
            with transaction(connection):
                insert(connection, rows, again=True)
            self._bytes -= len(self._pieces.pop(0))
            self._packed_rows -= len(rows)
        if notes := self._notes():
            with transaction(connection):
                insert(connection, notes, again=True)
        self._forget()

    def _pack(self) -> None:
        if self._recent:
            self._pieces.append(packed(self._recent))
            self._bytes += len(self._pieces[-1])
            self._packed_rows += len(self._recent)
            self._recent = []

    def _keeps(self, step: int) -> bool:
        """Return whether the statistics of `step` are kept; all rows of a step have the same answer."""
        if step != self._measured_step:
            every = next((every for part, every in THINNING if self._bytes >= part * self._limit), 1)
            self._measured += 1
            self._measured_step, self._kept_step = step, every > 0 and self._measured % every == 0
            if not self._kept_step:
                self._thinned += 1
                self._time = self._time or time.time()
        return self._kept_step

    def _miss(self, step: int) -> None:
        self._time = self._time or time.time()
        if self._missing and self._missing[-1][1] == step - 1:
            self._missing[-1] = self._missing[-1][0], step
        else:
            self._missing.append((step, step))

    def _notes(self) -> list[Row]:
        """Return the events that say what is left out."""
        full = f"{self._limit >> 20} MiB of rows waited for the database"
        notes = [self._missing_event(first, last, full) for first, last in self._missing]
        if self._thinned:
            steps = "1 step has" if self._thinned == 1 else f"{self._thinned} steps have"
            notes.append(self._event("skipped", f"{steps} no statistics: too many rows were waiting"))
        return notes

    def _missing_event(self, first: int, last: int, reason: str) -> Row:
        return self._event("missing", f"steps {first} to {last} have no rows: {reason}", last)

    def _event(self, kind: str, text: str, step: int | None = None) -> Row:
        return Row("events", (self._run, *EventRow(kind, text, step, time=self._time or time.time())))
