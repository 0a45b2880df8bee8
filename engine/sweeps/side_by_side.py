"""Trials side by side: the threads that carry them out, and what they report meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from engine.training.reporter import Reporter

if TYPE_CHECKING:
    from engine.sweeps.report import SweepReporter

P = ParamSpec("P")
T = TypeVar("T")
Calls = SimpleQueue[Callable[[], None]]  # of a reporter, to be made in the thread that it belongs to


def run_calls(calls: Calls) -> None:
    """Make the calls that are waiting."""
    while True:
        try:
            calls.get_nowait()()
        except Empty:
            return


class ConcurrentReporter(Reporter):
    """Puts into `calls` what `reporter` must show of one of several runs: anything that a person may have to act on.

    `who` names the run's workers. Other events of concurrent runs would be of no use without a place for each.
    """

    def __init__(self, who: str, reporter: SweepReporter, calls: Calls) -> None:
        self.who = who
        self._reporter = reporter
        self._calls = calls

    def listening(self, command: str) -> None:
        """See Reporter."""
        self._calls.put(partial(self._reporter.listening, command))

    def placed(self, text: str) -> None:
        """See Reporter."""
        self._calls.put(partial(self._reporter.placed, f"{self.who}: {text}" if text else ""))

    def waiting(self, text: str) -> None:
        """See Reporter."""
        self._calls.put(partial(self._reporter.waiting, f"{self.who}: {text}"))

    def notice(self, text: str) -> None:
        """See Reporter."""
        self._calls.put(partial(self._reporter.notice, f"{self.who}: {text}"))


class _InThisThread(Executor):
    """Carries out submitted work in this thread, so that a signal interrupts it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the result, already there."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def executor_for(count: int) -> Executor:
    """Return the executor of `count` trials at a time."""
    return ThreadPoolExecutor(count, "trial") if count > 1 else _InThisThread()
