"""Trains again what a checkpoint says was trained, and finds where other bits come out, if anywhere; writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint, state_sha256
from engine.coordinator.notices import Notice
from engine.coordinator.source import Source
from engine.errors import InterruptedRoundError
from engine.kernels import REMARKS
from engine.nn.parameters import Vector
from engine.reports.text import shown
from engine.training.again import again, begins, settings_again
from engine.training.bookkeeping import QUIET
from engine.training.process import TrainingProcess
from engine.training.reporter import Reporter
from engine.training.run import Run
from engine.training.state import TrainingState, state_of


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
        return f"verified: the same bits after {self.step} steps{since}"


def verify(
    checkpoint: Path | str,
    *,
    start: Path | str | None = None,
    data: object = None,
    workers: int | None = None,
    kernels: str | None = None,
    allow_slow: bool = False,
    reporter: Reporter | None = None,
) -> Verdict:
    """Compute the steps of a checkpoint again, and return whether the same bits come out.

    `checkpoint`: a file, or a folder: its newest. `start`: an earlier checkpoint of the run, to begin there instead of
    at step 0. `data`: the data of the run, where it is not found by itself. `workers` and `kernels` are as for
    `train`; which is taken changes no bit, but that numpy's kernels verify what they have computed, and nothing else.

    Raises a GradsumError if that cannot be compared: CheckpointError, DataError or UsageError; and KeyboardInterrupt.
    """
    end = checkpoints.load(checkpoint)
    first = None if start is None else checkpoints.load(start)
    with TrainingProcess(reporter or Reporter()) as process:
        settings = settings_again(end, workers, kernels, allow_slow)
        begins(first, end)
        process.use_kernels(settings)
        if remark := REMARKS.get(str(settings.kernels)):
            process.reporter.notice(remark)
        process.compile_kernels()
        process.start_workers(settings)
        process.reporter.status("preparing data and model")
        run = again(end, first, settings, data, process.converting)
        try:
            with process.computing(run, _telling(process.reporter)) as source:
                return _Comparison(run, end, source, process).verdict()
        except InterruptedRoundError:
            raise KeyboardInterrupt from None


def _telling(reporter: Reporter) -> Callable[[Notice], None]:
    """Return what tells of unusual notices about workers."""

    def take(notice: Notice) -> None:
        if notice.kind not in QUIET:
            reporter.notice(shown(f"worker {notice.worker} {notice.kind}: {notice.text}"))

    return take


class _Comparison:
    """Computes the steps of `run` up to the checkpoint `end`, and compares wherever that has a digest."""

    def __init__(self, run: Run, end: Checkpoint, source: Source, process: TrainingProcess) -> None:
        self._run, self._source, self._process = run, source, process
        self._last = end.step
        self._end = state_sha256(end.parameters, end.optimizer)
        self._wanted = {digest.step: digest for digest in end.run.digests}
        self._state = state_of(run)
        self._start = self._same = self._state.progress.step

    def verdict(self) -> Verdict:
        """Return what comes out."""
        if self._start and not self._is_same(None):
            before = max((step for step in self._wanted if step < self._start), default=0)
            return self._verdict((before, self._start))
        gradient = self._state.layout.zeros()
        for step in range(self._start + 1, self._last + 1):
            loss = _take(step, self._run, self._state, self._source, gradient)
            if step == self._last or step in self._wanted:
                if not self._is_same(loss):
                    return self._verdict((self._same, step))
                self._same = step
            self._process.converting("steps computed again", step - self._start, self._last - self._start)
        return self._verdict(None if self._last > self._start or self._is_same(None) else (0, 0))

    def _is_same(self, loss: float | None) -> bool:
        """Return whether the newest step left what the checkpoint says, and had this loss, None if not computed."""
        step, sha256 = self._state.progress.step, self._state.sha256()
        wanted = self._wanted.get(step)
        if wanted and (wanted.sha256 != sha256 or loss not in (None, wanted.loss)):
            return False
        return step != self._last or sha256 == self._end

    def _verdict(self, differs: tuple[int, int] | None) -> Verdict:
        workers = self._run.settings.workers or 0
        return Verdict(self._start, self._last, workers, self._state.sha256(), differs)


def _take(step: int, run: Run, state: TrainingState, source: Source, gradient: Vector) -> float:
    """Take a step as the training loop does, and return the mean loss of its batch."""
    samples = len(run.sampler().indices(step))
    sums = source.start(step, state.parameters, gradient).result()
    state.optimizer.step(state.parameters, gradient, 1 / samples)
    state.progress.step = step
    return sums.loss / samples
