"""One measurement: a short run with some workers, or runs without workers side by side."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO, cast

from engine.bench.case import Case, Subject
from engine.coordinator.source import WorkerReport, that_compute
from engine.errors import WorkersError
from engine.launch.command import worker_environment
from engine.launch.pinning import Pinning
from engine.training.reporter import Reporter, Result, RunInfo, StepReport
from engine.training.train import train

NEVER = 1 << 30  # steps; each run validates and saves once, at its end, outside of what is measured
# Without snapshots: the first steps all have one, and a short run would do little else.
RARELY: dict[str, Any] = {
    "validate_every": NEVER,
    "checkpoint_every": NEVER,
    "snapshot_first": 0,
    "snapshot_every": 0,
    "statistics_every": 0,
}
LOOK = 0.2  # seconds between two looks whether the study is to end
ALONE = Path(__file__).with_name("alone.py")


class Watch(Reporter):
    """Notes the size of the network, who computed, and interruptions, which `train` itself would only report.

    One for all runs of a study. `tell` is given the command with which workers elsewhere join, and `say` for whom a run
    waits and what is unusual; each once, since every run of a study would say the same.
    """

    parameters = 0
    interruptions = 0

    def __init__(
        self,
        tell: Callable[[str], None] = lambda command: None,  # noqa: ARG005
        say: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        self._tell, self._say = tell, say
        self._said: set[str] = set()
        self.machines: dict[str, int] = {}  # processes that computed last, by the name of their machine

    def listening(self, command: str) -> None:
        """Tell the command, unless that was done."""
        self._once(self._tell, command)

    def waiting(self, text: str) -> None:
        """Say for whom a run waits."""
        self._once(self._say, text)

    def notice(self, text: str) -> None:
        """Say what is unusual, such as a worker that was lost."""
        self._once(self._say, text)

    def _once(self, tell: Callable[[str], None], text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            tell(text)

    def started(self, info: RunInfo) -> None:
        """Note the size of the network."""
        self.parameters = info.parameters

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:  # noqa: ARG002
        """Note who computed."""
        if workers:
            self.machines = dict(Counter(worker.host for worker in that_compute(workers)))

    def interrupted(self) -> None:
        """Count an interruption."""
        self.interruptions += 1


def run(subject: Subject, case: Case, steps: int, watch: Reporter) -> Result:
    """Train for `steps` steps, and return the result; its records are gone."""
    sizes: dict[str, Any] = {"workers": case.workers, "batch_size": case.batch, "microbatch": case.microbatch}
    if subject.on and case.workers:
        sizes |= {"on": subject.on, "min_workers": case.workers}
    if subject.bind and case.workers:
        sizes |= {"workers": 0, "min_workers": case.workers, "bind": subject.bind}
        sizes |= {"key": subject.key} if subject.key else {"insecure": True}
    beside = Path.cwd() if subject.on else None  # where machines of a cluster may see it
    with tempfile.TemporaryDirectory(prefix="gradsum-bench-", dir=beside) as folder:
        places: dict[str, Any] = {"db": Path(folder) / "records.db", "out": Path(folder) / "out"}
        return train(subject.model, subject.data, **places, **sizes, **RARELY, steps=steps, reporter=watch)


def measure(subject: Subject, case: Case, steps: int, watch: Watch) -> dict[str, float]:
    """Train for `steps` steps and return images/s, the milliseconds of each part of a step, and `parameters`.

    Raises KeyboardInterrupt if the run was interrupted, WorkersError if not as many computed as the case says.
    """
    result = run(subject, case, steps, watch)
    if watch.interruptions:
        raise KeyboardInterrupt
    if subject.bind and case.workers and result.workers != case.workers:
        raise WorkersError(
            f"{result.workers} workers elsewhere computed, and --workers says {case.workers}: give the number of all "
            "that join, as all of them get work"
        )
    return {"images_per_second": result.images_per_second, "parameters": watch.parameters} | result.step_ms


def side_by_side(subject: Subject, case: Case, steps: int, count: int, stopped: Callable[[], object]) -> float:
    """Return the images/s of `count` runs without workers, at once and each on a core of its own, added up.

    It is what the machine allows: they share its caches, memory and clock, but nothing of a step. Raises WorkersError
    if one of them fails, and KeyboardInterrupt as soon as `stopped` says so.
    """
    pinning = Pinning(count)
    alone = Case(case.study, case.batch, case.microbatch, 0)
    words = json.dumps({"subject": asdict(subject), "case": asdict(alone), "steps": steps})
    with ExitStack() as stack:
        # Theirs are gone with it, even if one has to be killed.
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="gradsum-bench-"))
        processes = []
        for number in range(count):
            process = subprocess.Popen(
                [sys.executable, "-P", str(ALONE), words],
                env=worker_environment() | {"PYTHONPATH": _path(), "TMPDIR": temporary},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for this process, which ends them
            )
            stack.callback(_end, process)
            pinning.pin(process.pid, number)
            processes.append(process)
        for process in processes:
            _next_line(process, stopped)  # it is about to take its first step
        for process in processes:
            print(file=process.stdin, flush=True)  # it may begin
        return sum(float(_next_line(process, stopped)) for process in processes)


def _path() -> str:
    """Return PYTHONPATH with which a process finds this program, however this one did."""
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])


def _next_line(process: "subprocess.Popen[str]", stopped: Callable[[], object]) -> str:
    """Return the next line that the process writes; WorkersError if it ended instead."""
    output = cast(TextIO, process.stdout)
    while not select.select([output], [], [], LOOK)[0]:
        if stopped():
            raise KeyboardInterrupt
    line = output.readline()
    if not line:
        said = process.communicate()[1].strip().splitlines()
        raise WorkersError(f"a run without workers failed: {said[-1] if said else f'exit {process.returncode}'}")
    return line


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()
