"""The one thread that writes: rows are queued and committed together, orders are obeyed after the rows before them."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from engine.errors import RecordsError
from engine.records.database import explain, open_for_writing, transaction

T = TypeVar("T")
BATCH_SECONDS = 0.5  # the longest that a row waits before it is written
BATCH_ROWS = 2_000  # or this many rows, whichever comes first
LIMIT_ROWS = 20_000  # the queue's bound: a few MB


class Row(NamedTuple):
    """Values for one insert."""

    sql: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    """Something to do in a transaction of its own, and where its result goes."""

    work: Callable[[sqlite3.Connection], Any]
    answer: "Future[Any]" = field(default_factory=Future)


class WriterThread:
    """Owns the connection to `path`; other threads hand it rows and orders.

    Raises RecordsError when the database cannot be opened. After an error in the thread every `put`, `call` and
    `close` raises it; nothing ever waits for a thread that has ended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # there is something to write, soon or now
        self._room = threading.Condition(self._lock)  # the queue was taken
        self._queue: list[Row | Order] = []
        self._urgent = False
        self._closing = False
        self._error: RecordsError | None = None
        opened: Future[None] = Future()
        # A daemon: a program that ends without close() must not hang for its last half second of rows.
        self._thread = threading.Thread(target=self._run, args=(opened,), name="records", daemon=True)
        self._thread.start()
        opened.result()

    def put(self, sql: str, values: tuple[Any, ...]) -> None:
        """Queue one row: `values` for the insert `sql`. Waits only while the queue is full; no row is dropped."""
        with self._lock:
            self._check()
            while len(self._queue) >= LIMIT_ROWS:
                self._room.wait()
                self._check()
            self._queue.append(Row(sql, values))
            # Two wake-ups a batch: one that starts its half second, one if it fills before that has passed.
            if len(self._queue) in (1, BATCH_ROWS):
                self._work.notify()

    def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction of its own after all rows queued before; return its result once committed.

        A RecordsError that `work` raises undoes its transaction and is raised here; the writer goes on.
        """
        order = Order(work)
        answer: Future[T] = order.answer
        with self._lock:
            self._check()
            self._queue.append(order)
            self._urgent = True
            self._work.notify()
        return answer.result()

    def close(self) -> None:
        """Write what is queued and end the thread. Raises RecordsError if anything could not be written."""
        with self._lock:
            self._closing = True
            self._work.notify()
        self._thread.join()
        if self._error:
            raise RecordsError(str(self._error)) from self._error

    def there(self) -> bool:
        """Tell whether the file at the path is the one that is written to."""
        try:
            return os.path.samestat(self._path.stat(), self._file)
        except OSError:
            return False

    def _check(self) -> None:
        """Raise what went wrong in the thread; a new error each time, for each has its own traceback."""
        if self._error:
            raise RecordsError(str(self._error)) from self._error
        if self._closing:
            raise RecordsError(f"database {self._path} was closed; open it again to write more")

    def _run(self, opened: "Future[None]") -> None:
        """Body of the thread: open, write until closed, close."""
        try:
            connection = open_for_writing(self._path)
            self._file = self._path.stat()
            opened.set_result(None)
        except RecordsError as error:
            opened.set_exception(error)
            return
        finally:
            if not opened.done():
                opened.set_exception(self._ended())
        taken: list[Row | Order] = []
        try:
            while taken := self._take():
                self._check_there()
                _write(connection, taken)
        except RecordsError as error:
            self._error = error
        except (sqlite3.Error, OverflowError, ValueError) as error:
            self._error = explain(self._path, error)
        finally:
            # Also when the thread dies of something nobody thought of: whoever waits must hear of it.
            connection.close()
            self._fail(taken)

    def _take(self) -> list[Row | Order]:
        """Wait for a batch and return it; empty when the writer is closing and all is written."""
        with self._lock:
            self._work.wait_for(lambda: self._queue or self._closing)
            self._work.wait_for(self._due, BATCH_SECONDS)
            taken, self._queue, self._urgent = self._queue, [], False
            self._room.notify_all()
            return taken

    def _due(self) -> bool:
        """Whether the batch should be written without waiting for more."""
        return self._urgent or self._closing or len(self._queue) >= BATCH_ROWS

    def _check_there(self) -> None:
        """Raise RecordsError if the file is gone: SQLite would go on to write, to what no longer has a name."""
        if not self.there():
            raise RecordsError(
                f"database {self._path} was deleted, moved or replaced during the run, and what was on record with it;"
                " new records begin when the run goes on"
            )

    def _fail(self, taken: list[Row | Order]) -> None:
        """Answer the orders that will not be obeyed with an error, and let nobody wait for the ended thread."""
        with self._lock:
            left, self._queue = taken + self._queue, []
            if self._error is None and (left or not self._closing):
                self._error = self._ended()
            for job in left:
                if isinstance(job, Order) and not job.answer.done():
                    job.answer.set_exception(RecordsError(str(self._error)))
            self._room.notify_all()

    def _ended(self) -> RecordsError:
        """Return the error for a thread that died of a fault in this program."""
        return RecordsError(f"the thread that writes database {self._path} ended too soon; its traceback is above")


def _write(connection: sqlite3.Connection, jobs: Iterable[Row | Order]) -> None:
    """Write `jobs` in order: neighbouring rows in one transaction, every order in its own."""
    rows: list[Row] = []
    for job in jobs:
        if isinstance(job, Row):
            rows.append(job)
            continue
        _insert(connection, rows)
        rows = []
        _obey(connection, job)
    _insert(connection, rows)


def _insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Insert `rows` in order in one transaction, neighbours of one table together."""
    if not rows:
        return
    with transaction(connection):
        for sql, group in groupby(rows, lambda row: row.sql):
            connection.executemany(sql, (tuple(map(plain, row.values)) for row in group))


def _obey(connection: sqlite3.Connection, order: Order) -> None:
    """Run the order in a transaction and answer it; a RecordsError undoes it and is the answer."""
    try:
        with transaction(connection):
            result = order.work(connection)
    except RecordsError as error:
        order.answer.set_exception(error)
    else:
        order.answer.set_result(result)


def plain(value: object) -> Any:
    """Return `value` as SQLite takes it: numpy scalars as Python's, paths as text, text as Unicode."""
    if isinstance(value, np.generic):
        # SQLite would store the bytes of a numpy scalar.
        return value.item()
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        # A file name or argument with bytes that are no UTF-8 reaches Python as lone surrogates.
        return value.encode("utf-8", "backslashreplace").decode()
    return value
