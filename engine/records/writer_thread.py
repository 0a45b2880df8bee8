"""The one thread that writes: rows are queued and committed together, work is done after the rows before it."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import RecordsError
from engine.records.batch import Job, Row, Work
from engine.records.delivery import Delivery, LockedError, Pace
from engine.records.run_owner import RunOwner
from engine.system.clock import MONOTONIC

T = TypeVar("T")
BATCH_SECONDS = 0.5  # the longest that a row waits before it is written
BATCH_ROWS = 2_000  # or this many rows, whichever comes first
ASK = 0.5  # seconds between two questions whether to wait on
LIMIT_ROWS = 20_000  # the queue's bound: a few MB

DEFAULT_PACE = Pace()

_log = logging.getLogger("gradsum.records")


class WriterThread:
    """Owns the connection to `path`; other threads hand it rows and work.

    Raises RecordsError when the database cannot be opened. What becomes of rows that it cannot take later is up to
    `Delivery`. After a fault in the thread every `put`, `call` and `close` raises it; nothing ever waits for a thread
    that has ended. `ask` is called now and then while another program keeps the database locked; what it raises ends
    the wait.
    """

    def __init__(self, path: Path, pace: Pace = DEFAULT_PACE, ask: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._pace = pace
        self._ask = ask
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)  # there is something to write, soon or now
        self._queue_taken = threading.Condition(self._lock)  # there is room again
        self._queue: list[Job] = []
        self._urgent = False
        self._closing = False
        self._error: RecordsError | None = None
        opened: Future[Delivery] = Future()
        # A daemon: a program that ends without close() must not hang for its last half second of rows.
        self._thread = threading.Thread(target=self._run, args=(opened, pace), name="records", daemon=True)
        self._thread.start()
        try:
            while not wait([opened], ASK).done:
                ask()
            self._delivery = opened.result()
        except BaseException:
            self._let_end()  # as soon as it can: it may be waiting for a lock
            raise

    def put(self, table: str, values: tuple[Any, ...]) -> None:
        """Queue one row of `table`. Waits only while the queue is full; no row is dropped."""
        with self._lock:
            self._check()
            while len(self._queue) >= LIMIT_ROWS:
                self._queue_taken.wait()
                self._check()
            self._queue.append(Row(table, values))
            # Two wake-ups a batch: one that starts its half second, one if it fills before that has passed.
            if len(self._queue) in (1, BATCH_ROWS):
                self._work_came.notify()

    def call(self, work: Callable[[sqlite3.Connection], T], patience: float | None = None) -> T:
        """Run `work` in a transaction of its own after all rows queued before; return its result once committed.

        A RecordsError that `work` raises undoes its transaction and is raised here; the thread continues. RecordsError
        as well if the database takes nothing: at once, unless it has been locked for less than `patience` seconds. None
        leaves that to the pace, and to who is asked.
        """
        limit, ask = (self._pace.patience, self._ask) if patience is None else (patience, lambda: None)
        while True:
            try:
                answer: T = self._answer(Work(work, patient=True))
                return answer
            except LockedError as error:
                if MONOTONIC.now() - error.since >= limit:
                    raise
                ask()

    def call_or(self, work: Callable[[sqlite3.Connection], T], otherwise: Callable[[], T]) -> T:
        """Run `work` as `call` does; while the database takes nothing, run `otherwise` in the thread."""
        answer: T = self._answer(Work(work, otherwise))
        return answer

    def _answer(self, job: Work) -> Any:
        with self._lock:
            self._check()
            self._queue.append(job)
            self._urgent = True
            self._work_came.notify()
        return job.answer.result()

    def secure(self) -> None:
        """Return when all rows are on disk, in the database or the side file. RecordsError if neither is possible."""
        self.call_or(lambda _: None, self._delivery.secure)

    def belongs_to(self, run: RunOwner | None) -> None:
        """Say which run the rows from now on are of."""
        self._delivery.run = run

    def news(self) -> list[str]:
        """Return what people should know of the database since the last time."""
        news = self._delivery.news
        return [news.popleft() for _ in range(len(news))] if news else []

    def close(self) -> None:
        """Write what is queued and end the thread. RecordsError if anything could neither be written nor saved."""
        self._let_end()
        self._thread.join()
        if self._error:
            raise RecordsError(str(self._error)) from self._error

    def _let_end(self) -> None:
        with self._lock:
            self._closing = True
            self._work_came.notify()

    def _check(self) -> None:
        """Raise what went wrong in the thread; a new error each time, for each has its own traceback."""
        if self._error:
            raise RecordsError(str(self._error)) from self._error
        if self._closing:
            raise RecordsError(f"database {self._path} was closed; open it again to write more")

    def _run(self, opened: "Future[Delivery]", pace: Pace) -> None:
        """Body of the thread: open, write until closed, close."""
        try:
            delivery = Delivery(self._path, pace)
            opened.set_result(delivery)
        except RecordsError as error:
            opened.set_exception(error)
            return
        finally:
            if not opened.done():
                opened.set_exception(self._ended())
        taken: list[Job] = []
        try:
            closing = False
            while not closing:
                taken, closing = self._take(delivery.pause())
                delivery.deliver(taken, now=closing)
        except RecordsError as error:
            self._error = error
        finally:
            # Also when the thread ends by a fault in this program: callers that wait must hear of it.
            self._end(delivery, taken)

    def _take(self, pause: float | None) -> tuple[list[Job], bool]:
        """Wait for a batch, at most `pause` seconds, and return it and whether it is the last."""
        with self._lock:
            self._work_came.wait_for(lambda: self._queue or self._closing, pause)
            if self._queue:
                self._work_came.wait_for(self._due, BATCH_SECONDS)
            taken, self._queue, self._urgent = self._queue, [], False
            self._queue_taken.notify_all()
            return taken, self._closing

    def _due(self) -> bool:
        """Whether the batch should be written without waiting for more."""
        return self._urgent or self._closing or len(self._queue) >= BATCH_ROWS

    def _end(self, delivery: Delivery, taken: list[Job]) -> None:
        """Close the database, and answer work that will not be done: no caller waits for a thread that has ended."""
        try:
            delivery.close()
        except RecordsError as error:
            self._error = self._error or error
        with self._lock:
            left, self._queue = taken + self._queue, []
            if self._error is None and (left or not self._closing):
                self._error = self._ended()
            for job in left:
                if isinstance(job, Work) and not job.answer.done():
                    job.answer.set_exception(RecordsError(str(self._error)))
            self._queue_taken.notify_all()
        if self._error:
            _log.error("%s", self._error)

    def _ended(self) -> RecordsError:
        """Return the error for a thread that died of a fault in this program."""
        return RecordsError(f"the thread that writes database {self._path} ended unexpectedly; see its traceback")
