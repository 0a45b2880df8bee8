"""`gradsum`, telling every step in a line to a descriptor: `python telling.py DESCRIPTOR train ...`.

started STEP
step STEP PID PID ...      with the process ids of the workers at hand
"""

import os
import sys

from engine.cli import main
from engine.cli.live import reporters
from engine.coordinator.source import WorkerReport
from engine.training.reporter import Reporter, RunInfo, StepReport


class Telling(Reporter):
    """Tells a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def _tell(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())

    def started(self, info: RunInfo) -> None:
        """Tell where the run begins."""
        self._tell("started", info.step)

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        """Tell of a step, while the next one is being computed."""
        self._tell("step", report.step, *(worker.pid for worker in workers))

    def notice(self, text: str) -> None:
        """Write to standard error, for whoever wonders what happened."""
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    teller = Telling(int(sys.argv[1]))
    reporters.reporter_for = lambda *_: teller
    sys.exit(main(sys.argv[2:]))
