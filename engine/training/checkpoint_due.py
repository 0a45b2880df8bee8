"""When the next checkpoint is due: after so many steps, or after so much time."""

from engine.settings import Settings
from engine.system.clock import Clock
from engine.system.ranges import seconds_of
from engine.training.progress import Progress

AT_LEAST_EVERY = 300.0  # seconds, where nothing else was asked for: an epoch may take days


class CheckpointDue:
    """Says when `settings.checkpoint_every` asks for a checkpoint, by steps or by the time since the last was tried.

    Time has no part in what is computed: a checkpoint changes no bit.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        every = settings.checkpoint_every
        self._steps = None if isinstance(every, str) else every
        self._seconds = seconds_of(every) if isinstance(every, str) else None if every else AT_LEAST_EVERY
        self._clock = clock
        self._last, self._step = clock.now(), 0

    def tried(self, step: int) -> None:
        """Count from here: the checkpoint of `step` is saved, or could not be."""
        self._last, self._step = self._clock.now(), step

    def now(self, progress: Progress) -> bool:
        """Return whether a checkpoint is due after the newest step, and was not tried yet."""
        if progress.step == self._step:
            return False
        by_steps = self._steps is not None and progress.due(self._steps)
        return by_steps or (self._seconds is not None and self._clock.now() - self._last >= self._seconds)
