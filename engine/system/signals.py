"""Signals that end a run in good order: the training loop finishes its step, saves, and ends."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Self

from engine.system.clock import MONOTONIC, Clock
from engine.system.forks import is_own

# What cluster managers send some time before they kill, and the kernel at the soft limit of processor time.
NEAR_LIMIT = (signal.SIGUSR1, signal.SIGXCPU)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *NEAR_LIMIT)
AFTER = 0.02  # seconds: by then Python is out of the callback
STUCK = 5.0  # seconds after which tidying up is taken to have come to a stop
TOGETHER = 0.3  # seconds: a shell, `timeout` or `uv run` may pass on a Ctrl-C that came from the terminal already


class Interrupt:
    """While entered, turns the first signal into `requested`; Ctrl-C after that raises KeyboardInterrupt, once.

    One that comes long after that ends the process: what is being tidied up may wait for a lock that the interruption
    left taken.

    `tell` is called at the first signal, in the middle of whatever the process is doing. A signal that was ignored
    (`nohup`) stays ignored. Outside of the main thread Python can handle no signals, and this does nothing.
    """

    def __init__(self, tell: Callable[[], None] = lambda: None, clock: Clock = MONOTONIC) -> None:
        self.requested = ""
        self._tell = tell
        self._clock = clock
        self._since = 0.0
        self._leaving = False
        self._left = 0.0
        self._before: dict[signal.Signals, Any] = {}
        self._kept = ExitStack()

    @property
    def at_once(self) -> bool:
        """Whether a second Ctrl-C came: KeyboardInterrupt is raised in the main thread, others have to ask."""
        return self._leaving

    def request(self, what: str) -> None:
        """Let what is going on end as after a first signal; `what` came, if no signal did before."""
        self.requested = self.requested or what

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in heard(SIGNALS)}
        self._kept.enter_context(interrupts_kept(self._again))
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _again(self) -> int:
        self._leaving = False
        return signal.SIGINT

    def _handle(self, number: int, _: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._since = signal.Signals(number).name, self._clock.now()
            self._tell()
        elif number == signal.SIGINT and (now := self._clock.now()) - self._since >= TOGETHER:
            if not self._leaving:
                self._leaving, self._left = True, now  # a third Ctrl-C must not disturb the tidying up
                raise KeyboardInterrupt
            if now - self._left >= STUCK:
                if not is_own():  # whose program it is has things of its own to do at its end
                    raise KeyboardInterrupt
                os._exit(128 + number)


@contextmanager
def interrupts_kept(again: Callable[[], int]) -> Iterator[None]:
    """Send the main thread the signal that `again` names, a moment after Python has dropped a KeyboardInterrupt.

    It drops what is raised in `__del__` and in callbacks of weak references, wherever a signal finds the process.
    """
    before, timers = sys.unraisablehook, list[threading.Timer]()

    def repeat() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, again())

    def hook(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            timers.append(threading.Timer(AFTER, repeat))
            timers[-1].start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in timers:
            timer.cancel()


def heard(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Return those of the signals that can be handled: not ignored, and none outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def handled() -> list[signal.Signals]:
    """Return the signals for which this process has handlers in Python."""
    return [number for number in signal.Signals if callable(signal.getsignal(number))]


@contextmanager
def near_limit_ignored() -> Iterator[None]:
    """Let this process, and those it starts within this context, survive the warnings of cluster managers."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in heard(NEAR_LIMIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def blocked(numbers: Iterable[signal.Signals]) -> Iterator[set[int]]:
    """Let none of the signals reach this thread within the block, and yield those that it had blocked before.

    One that comes meanwhile is handled by another thread, or afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def near_limit_blocked() -> Iterator[None]:
    """Start a process within this context, and it has the warnings of cluster managers blocked from the first."""
    with blocked(NEAR_LIMIT):
        yield
