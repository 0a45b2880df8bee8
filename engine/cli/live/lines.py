"""Progress of a run as plain lines, for log files and pipes; if quiet, only what the user needs to act on."""

import math
import time
from typing import TYPE_CHECKING, TextIO

from engine.cli.live.display import Display, describe, join_with
from engine.training.reporter import Reporter, RunInfo, StepReport

if TYPE_CHECKING:
    from engine.compute.validation import Validation
    from engine.coordinator.source import WorkerReport

LINE_EVERY = 5.0  # seconds between plain lines


class Quiet(Reporter):
    """Prints only what the user needs to act on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def listening(self, command: str) -> None:
        print(join_with(command), file=self._stream, flush=True)

    def waiting(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Lines(Display):
    """Prints a line every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._last = time.monotonic()

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def _is_time(self) -> bool:
        """Return whether the last line of numbers was printed long enough ago, and so the next one is to be."""
        if time.monotonic() - self._last < LINE_EVERY:
            return False
        self._last = time.monotonic()
        return True

    def status(self, text: str) -> None:
        if self._info is None:
            self._say(f"{text} ...")

    def converting(self, what: str, done: int, total: int) -> None:
        if self._is_time():
            self._say(f"{what}: {done:,} of {total:,}")

    def listening(self, command: str) -> None:
        self._say(join_with(command))

    def started(self, info: RunInfo) -> None:
        super().started(info)
        self._last = self._began
        self._say(describe(info))

    def step(self, report: StepReport, workers: "list[WorkerReport]") -> None:
        super().step(report, workers)
        if not self._is_time():
            return
        (loss, percent), progress = self._means, self.progress()
        correct = "" if math.isnan(percent) else f"  {percent:.1f} % correct"
        self._say(
            f"epoch {report.epoch:.2f}  step {report.step}  loss {loss:.4f}{correct}  "
            f"{report.images_per_second:,.0f} {self.unit}/s" + (f"  {progress[1]:.0f} s left" if progress else "")
        )

    def validated(self, validation: "Validation") -> None:
        self._say(f"validation after step {validation.step}: {validation.text()}")

    def notice(self, text: str) -> None:
        self._say(text)

    def placed(self, text: str) -> None:
        self._say(text)

    def waiting(self, text: str) -> None:
        self._say(text)
