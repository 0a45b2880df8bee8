"""Ctrl-C and SIGTERM as a wish: the training loop finishes its step, saves, and ends."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOGETHER = 0.3  # seconds: a shell, `timeout` or `uv run` may pass on a Ctrl-C that came from the terminal already


class Interrupt:
    """While entered, turns the first signal into `requested`; Ctrl-C after that raises KeyboardInterrupt, once.

    `tell` is called at the first signal, in the middle of whatever is going on. A signal that was ignored (`nohup`)
    stays so. Outside of the main thread Python can handle no signals, and this does nothing.
    """

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self.requested = ""
        self._tell = tell
        self._since = 0.0
        self._leaving = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
            self._before = {number: signal.signal(number, self._handle) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._since = signal.Signals(number).name, time.monotonic()
            self._tell()
        elif number == signal.SIGINT and time.monotonic() - self._since >= TOGETHER and not self._leaving:
            self._leaving = True  # nothing more may disturb the tidying up
            raise KeyboardInterrupt
