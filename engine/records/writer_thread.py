"""The one thread that writes: rows are queued and committed together, work is done after the rows before it."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import RecordsError
from engine.records.batch import Row, Work, write
from engine.records.database import explain, open_for_writing

T = TypeVar("T")
BATCH_SECONDS = 0.5  # the longest that a row waits before it is written
BATCH_ROWS = 2_000  # or this many rows, whichever comes first
LIMIT_ROWS = 20_000  # the queue's bound: a few MB

_log = logging.getLogger("gradsum.records")


class WriterThread:
    """Owns the connection to `path`; other threads hand it rows and work.

    Raises RecordsError when the database cannot be opened. After an error in the thread every `put`, `call` and
    `close` raises it; nothing ever waits for a thread that has ended.
    """

    def __init__(self, path: Path, after_batch: Callable[[sqlite3.Connection], None] = lambda _: None) -> None:
        """`after_batch` is called in the thread whenever something was written, with the connection."""
        self._path = path
        self._after_batch = after_batch
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)  # there is something to write, soon or now
        self._queue_taken = threading.Condition(self._lock)  # there is room again
        self._queue: list[Row | Work] = []
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
                self._queue_taken.wait()
                self._check()
            self._queue.append(Row(sql, values))
            # Two wake-ups a batch: one that starts its half second, one if it fills before that has passed.
            if len(self._queue) in (1, BATCH_ROWS):
                self._work_came.notify()

    def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction of its own after all rows queued before; return its result once committed.

        A RecordsError that `work` raises undoes its transaction and is raised here; the thread continues.
        """
        job = Work(work)
        answer: Future[T] = job.answer
        with self._lock:
            self._check()
            self._queue.append(job)
            self._urgent = True
            self._work_came.notify()
        return answer.result()

    def close(self) -> None:
        """Write what is queued and end the thread. Raises RecordsError if anything could not be written."""
        with self._lock:
            self._closing = True
            self._work_came.notify()
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
        taken: list[Row | Work] = []
        try:
            while taken := self._take():
                self._check_there()
                write(connection, taken)
                self._after_batch(connection)
        except RecordsError as error:
            self._error = error
        except (sqlite3.Error, OverflowError, ValueError) as error:
            self._error = explain(self._path, error)
        finally:
            # Also when the thread ends by a fault in this program: callers that wait must hear of it.
            connection.close()
            self._fail(taken)
            if self._error:
                _log.error("%s", self._error)

    def _take(self) -> list[Row | Work]:
        """Wait for a batch and return it; empty when the writer is closing and all is written."""
        with self._lock:
            self._work_came.wait_for(lambda: self._queue or self._closing)
            self._work_came.wait_for(self._due, BATCH_SECONDS)
            taken, self._queue, self._urgent = self._queue, [], False
            self._queue_taken.notify_all()
            return taken

    def _due(self) -> bool:
        """Whether the batch should be written without waiting for more."""
        return self._urgent or self._closing or len(self._queue) >= BATCH_ROWS

    def _check_there(self) -> None:
        """Raise RecordsError if the file is gone: SQLite would keep writing to what no longer has a name."""
        if not self.there():
            raise RecordsError(
                f"database {self._path} was deleted, moved or replaced during the run, and its records with it;"
                " resuming the run begins new ones"
            )

    def _fail(self, taken: list[Row | Work]) -> None:
        """Answer work that will not be done with an error, so that no caller waits for a thread that has ended."""
        with self._lock:
            left, self._queue = taken + self._queue, []
            if self._error is None and (left or not self._closing):
                self._error = self._ended()
            for job in left:
                if isinstance(job, Work) and not job.answer.done():
                    job.answer.set_exception(RecordsError(str(self._error)))
            self._queue_taken.notify_all()

    def _ended(self) -> RecordsError:
        """Return the error for a thread that died of a fault in this program."""
        return RecordsError(f"the thread that writes database {self._path} ended unexpectedly; see its traceback")
