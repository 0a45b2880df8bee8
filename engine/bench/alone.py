"""A run without workers beside others: it waits before its first step until it is told to begin."""

import json
import sys
from typing import Any

from engine.bench.case import Case, Subject
from engine.bench.measure import run
from engine.system.clock import MONOTONIC
from engine.training.reporter import Reporter, StepReport
from engine.training.step_times import WARM_UP


class _Timed(Reporter):
    """Waits for a line on standard input before the first step, and times all steps but the first `WARM_UP`."""

    first = last = 0.0
    samples = 0

    def started(self, *_: object) -> None:
        print("ready", flush=True)
        if not sys.stdin.readline():
            raise SystemExit(1)  # the process that started this has ended

    def step(self, report: StepReport, *_: object) -> None:
        self.last = MONOTONIC.now()
        if self.first:
            self.samples += report.images
        elif report.step == WARM_UP:
            self.first = self.last


def main(text: str) -> None:
    """Train as the JSON says, and print images/s."""
    given: dict[str, Any] = json.loads(text)
    timed = _Timed()
    run(Subject(**given["subject"]), Case(**given["case"]), given["steps"], timed)
    print(timed.samples / (timed.last - timed.first), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
