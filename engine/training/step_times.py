"""Where the time of the steps went."""

from dataclasses import asdict

from engine.coordinator.source import Timing
from engine.training.progress import Progress

WARM_UP = 10  # steps in which workers join, get their first shares and touch their memory for the first time


class StepTimes:
    """How fast steps are taken, and where the mean one goes: without the first `WARM_UP`, once there are more."""

    def __init__(self, progress: Progress, timing: Timing) -> None:
        self._progress, self._timing = progress, timing
        self._before: dict[str, float] = {}  # what the first ones took

    def settled(self) -> None:
        """Note that all of the steps so far is counted: images and seconds are of the same steps only then."""
        if self._progress.taken == WARM_UP:
            self._before = self._totals()

    def images_per_second(self) -> float:
        """Return the speed, without validations and checkpoints; 0 if no step was taken."""
        since = self._since()
        return since["images"] / since["seconds"] if since["seconds"] else 0.0

    def ms(self) -> dict[str, float]:
        """Return the milliseconds of each part of the mean step; `other` is records and reports."""
        since = self._since()
        steps, seconds = max(since.pop("taken"), 1), since.pop("seconds")
        del since["images"]
        since["other"] = max(0.0, seconds - sum(since.values()))
        return {name: 1000 * value / steps for name, value in since.items()}

    def _since(self) -> dict[str, float]:
        totals = self._totals()
        if totals["taken"] == WARM_UP:
            return totals
        return {name: value - self._before.get(name, 0) for name, value in totals.items()}

    def _totals(self) -> dict[str, float]:
        done = self._progress
        whole = {"taken": done.taken, "images": done.images, "seconds": done.seconds}
        return whole | asdict(self._timing) | {"optimizer": done.optimizer_seconds}
