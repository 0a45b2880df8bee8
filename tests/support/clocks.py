"""A clock for tests with real sockets and processes, which cannot stand still."""

import time


class LeapingClock:
    """The machine's clock, which a test sets forward by adding to `leap`."""

    def __init__(self) -> None:
        self.leap = 0.0

    def now(self) -> float:
        return time.monotonic() + self.leap
