"""How long to wait for what all members of an exchange are to send."""

FIRST_DEADLINE = 30.0  # seconds, while it is not known how long it takes
FACTOR = 8.0  # times as long as it took before
OF_MEMBER = 2.0  # seconds that a member waits for others at least, until it says that it hears nothing from them
OF_COORDINATOR = 4.0  # and the coordinator for members: longer, so that it first hears who hears nothing from whom


class AdaptiveDeadline:
    """When waiting has lasted too long, in seconds of a monotonic clock; it lasts `least` at least."""

    def __init__(self, least: float) -> None:
        self.at: float | None = None  # None: nothing is waited for
        self._least = least
        self._began = 0.0
        self._usual: float | None = None

    def begin(self, now: float) -> None:
        """Wait from now on."""
        self._began = now
        self.at = now + (FIRST_DEADLINE if self._usual is None else max(self._least, FACTOR * self._usual))

    def over(self, now: float) -> bool:
        """Return whether that has lasted too long."""
        return self.at is not None and now >= self.at

    def end(self, now: float) -> None:
        """Note that all has come, if it was waited for."""
        if self.at is not None:
            took = now - self._began
            self._usual = took if self._usual is None else max(took, 0.9 * self._usual)
            self.at = None

    def stop(self) -> None:
        """Wait no longer."""
        self.at = None
