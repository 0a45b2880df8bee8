"""Says when there are too few workers, and when there are enough again."""

from collections.abc import Callable

from engine.system.clock import Clock


class Pause:
    """Tells `announce`, which takes one word and a sentence, when a pause begins and when it ends."""

    def __init__(self, clock: Clock, announce: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._announce = announce
        self._since: float | None = None

    def needed(self, there: int, least: int) -> bool:
        """Tell whether `there` are fewer than `least` workers."""
        if there < least and self._since is None:
            self._since = self._clock.now()
            self._announce("waiting", f"{there} of {least} workers are there; the run waits for more")
        elif there >= least and self._since is not None:
            waited, self._since = self._clock.now() - self._since, None
            self._announce("continued", f"there are enough workers, after {waited:.1f} seconds")
        return there < least
