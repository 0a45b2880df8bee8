"""The base of all that shows how far a run is."""

import time
from collections import deque
from typing import TYPE_CHECKING

from engine.reports.text import data_name
from engine.training.reporter import Reporter, RunInfo, StepReport

if TYPE_CHECKING:
    from engine.coordinator.source import WorkerReport

RECENT = 100  # batches whose mean loss and % correct are shown: single ones jump about


def describe(info: RunInfo) -> str:
    """Return a line about a run that starts, one on the parts of its data, and one for each note on how it was read."""
    data = data_name(info.data, info.generated)
    workers = f"{info.workers} worker{'s' * (info.workers > 1)}" if info.workers else "this process"
    text = f"run {info.run}: " if info.run else ""
    text += f"{info.model} ({info.parameters:,} parameters) on {info.train_samples:,} {data}, {workers}"
    text += f", from step {info.step}" if info.step else ""
    return "\n".join([text, *(f"  {note}" for note in (info.parts.text(), *info.notes))])


def join_with(command: str) -> str:
    """Return how workers on other machines join: a line, and one to copy."""
    return f"workers on other machines join with:\n  {command}"


class Display(Reporter):
    """Knows how far a run is; subclasses show it."""

    def __init__(self) -> None:
        self._info: RunInfo | None = None
        self._report: StepReport | None = None
        self._recent: deque[tuple[int, float, float]] = deque(maxlen=RECENT)  # images, loss, percent
        self._means = (0.0, 0.0)  # loss and % correct of the recent batches
        self._began = 0.0

    def started(self, info: RunInfo) -> None:
        self._info, self._began = info, time.monotonic()

    @property
    def unit(self) -> str:
        """What the samples are called."""
        return self._info.unit if self._info else "images"

    def _forget(self) -> None:
        self._report = None
        self._recent.clear()

    def step(self, report: StepReport, workers: "list[WorkerReport]") -> None:  # noqa: ARG002
        self._recent.append((report.images, report.loss, report.percent))
        images = sum(n for n, _, _ in self._recent)
        self._means = sum(n * x for n, x, _ in self._recent) / images, sum(n * x for n, _, x in self._recent) / images
        self._report = report

    def progress(self) -> tuple[float, float] | None:
        """Return the fraction done and the seconds left; None if neither steps nor time end the run."""
        info, report = self._info, self._report
        ways = []
        if info and report and info.last_step:
            images = (info.last_step - report.step) * info.train_samples / info.steps_per_epoch
            ways.append((report.step / info.last_step, images / max(report.images_per_second, 1e-9)))
        if info and info.time_limit:
            spent = time.monotonic() - self._began
            ways.append((min(1.0, spent / info.time_limit), max(0.0, info.time_limit - spent)))
        return min(ways, key=lambda way: way[1], default=None)
