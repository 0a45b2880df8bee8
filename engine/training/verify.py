"""Repeats the training that led to a checkpoint, and finds where other bits come out, if anywhere.

The loop that trains does it, in a temporary folder.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint, StateDigest, state_sha256
from engine.coordinator.source import WorkerReport
from engine.errors import DivergedError, UsageError
from engine.nn.own.imports import Modules, importing
from engine.records.status import RunStatus
from engine.training.forwarding import ForwardingReporter
from engine.training.process import TrainingProcess
from engine.training.reporter import Reporter, RunInfo, StepReport, checked_reporter
from engine.training.rerun import check_start, rerun, rerun_settings
from engine.training.run import Run
from engine.training.state import TrainingState, state_of
from engine.training.stopping import StopKind


@dataclass(frozen=True)
class Verdict:
    """What came of it. Steps `start` + 1 to `step` were to be computed again, with `workers`.

    `differs` is None if that gave the same bits, of which `sha256` is the digest (of parameters and optimizer's state).
    Else it has two steps: all is the same after the first, and something is not after the second.
    """

    start: int
    step: int
    workers: int
    sha256: str
    differs: tuple[int, int] | None = None

    def text(self) -> str:
        """Return the verdict in words."""
        if self.differs:
            return f"differs: other bits between step {self.differs[0]} and step {self.differs[1]}"
        since = f", from step {self.start} on" if self.start else ""
        return f"verified: the same bits after {self.step} step{'s' * (self.step != 1)}{since}"


def verify(
    checkpoint: Path | str,
    *,
    start: Path | str | None = None,
    data: object = None,
    workers: int | None = None,
    kernels: str | None = None,
    allow_slow: bool = False,
    import_: Modules = None,
    reporter: Reporter | None = None,
) -> Verdict:
    """Compute the steps of a checkpoint again, and return whether the same bits come out.

    `checkpoint`: a file, or a folder, of which the newest is taken. `start`: an earlier checkpoint of the run, to begin
    there instead of at step 0. `data`: the data of the run, where it is not found by itself. `workers`, `kernels` and
    `import_` are as for `train`. Neither the number of workers nor the kernels change a bit, except that numpy kernels
    verify only what numpy kernels computed, and only they can.

    Raises a GradsumError if the bits cannot be compared: CheckpointError, DataError, or UsageError, for example when
    the reporter stops the run; and KeyboardInterrupt.
    """
    end = checkpoints.load(checkpoint)
    first = None if start is None else checkpoints.load(start)
    settings = rerun_settings(end, workers, kernels, allow_slow)
    check_start(first, end)
    comparing = _Comparing(checked_reporter(reporter, Reporter), end)
    with ExitStack() as stack:
        stack.enter_context(importing(import_))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gradsum-verify-")))
        process = stack.enter_context(TrainingProcess(comparing))
        process.use_kernels(settings)
        process.compile_kernels()
        process.start_workers(settings)
        comparing.status("preparing data and model")
        run = rerun(end, first, settings, data, folder, process.converting)
        state = state_of(run)
        differs = _difference(process, run, state, comparing)
    return Verdict(comparing.start, end.step, settings.workers or 0, state.sha256(), differs)


def _difference(
    process: TrainingProcess, run: Run, state: TrainingState, comparing: "_Comparing"
) -> tuple[int, int] | None:
    """Train, and return between which steps other bits come out, None if nowhere; KeyboardInterrupt if interrupted."""
    try:
        comparing.begin(state)
        if state.progress.step < (run.settings.steps or 0):
            process.claim(run.folder)
            process.open_records(run.db)
            result = process.carry_out(run, process.enter(run), state)
            if result.state is RunStatus.INTERRUPTED:
                raise KeyboardInterrupt
            if result.stop is StopKind.REPORTER:
                text = f"up to step {comparing.same}, the last one that was compared, the bits are the same"
                raise UsageError(f"{result.reason} after step {result.steps}; {text}")
        comparing.end()
    except _DiffersError as found:
        return found.between
    except DivergedError:  # as the run of the checkpoint did not
        return comparing.same, state.progress.step + 1
    return None


class _DiffersError(Exception):
    """Other bits came out; `between`: after which step they were still the same, and after which not."""

    def __init__(self, between: tuple[int, int]) -> None:
        super().__init__()
        self.between = between


class _Comparing(ForwardingReporter):
    """Compares what a run is with what `end` says that it was, and passes on what there is to show.

    The methods raise _DiffersError for a difference, which ends the run.
    """

    def __init__(self, shown: Reporter, end: Checkpoint) -> None:
        super().__init__(shown)
        self._end = end
        self._wanted = {digest.step: digest for digest in end.run.digests}
        self._begun = False
        self.start = self.same = 0

    def begin(self, state: TrainingState) -> None:
        """Compare the state that the run begins in."""
        self._state = state
        self.start = state.progress.step
        self.same = max((step for step in self._wanted if step < self.start), default=0)
        wanted = self._wanted.get(self.start)
        self._check(wanted is None or wanted.sha256 == state.sha256(), self.start)

    def end(self) -> None:
        """Compare the state after the last step."""
        self._check(self._state.sha256() == state_sha256(self._end.parameters, self._end.optimizer), self._end.step)

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        if wanted := self._wanted.get(report.step):
            self._check(StateDigest(report.step, self._state.sha256(), report.loss) == wanted, report.step)
        super().step(report, workers)

    def _check(self, same: bool, step: int) -> None:
        if not same:
            raise _DiffersError((self.same, step))
        self.same = step

    def started(self, info: RunInfo) -> None:
        self._begun = True
        super().started(replace(info, run=0))  # its number is that of a database that is deleted in the end

    def notice(self, text: str) -> None:
        if self._begun:  # before that, only that earlier steps are not recorded
            super().notice(text)
