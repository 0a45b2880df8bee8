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
Told = SimpleQueue[Callable[[], None]]  # what a reporter is to be told, in the thread that it is called in


def tell(told: Told) -> None:
    """Tell what has come in."""
    while True:
        try:
            told.get_nowait()()
        except Empty:
            return


class OneOfSeveral(Reporter):
    """Passes on to `reporter` what somebody may have to see to, and whom that is about; `told` takes it.

    What else happens in several runs at a time would be of no use without a place of its own for each.
    """

    def __init__(self, who: str, reporter: SweepReporter, told: Told) -> None:
        self.who = who
        self._reporter = reporter
        self._told = told

    def listening(self, command: str) -> None:
        """See Reporter."""
        self._told.put(partial(self._reporter.listening, command))

    def placed(self, text: str) -> None:
        """See Reporter."""
        self._told.put(partial(self._reporter.placed, f"{self.who}: {text}" if text else ""))

    def waiting(self, text: str) -> None:
        """See Reporter."""
        self._told.put(partial(self._reporter.waiting, f"{self.who}: {text}"))

    def notice(self, text: str) -> None:
        """See Reporter."""
        self._told.put(partial(self._reporter.notice, f"{self.who}: {text}"))


class _Here(Executor):
    """Does what is submitted in this thread, so that a signal interrupts it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return what has been done."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def executor_for(count: int) -> Executor:
    """Return what carries out `count` trials at a time."""
    return ThreadPoolExecutor(count, "trial") if count > 1 else _Here()
