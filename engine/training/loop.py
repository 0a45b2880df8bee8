"""The training loop: steps, validations, checkpoints, and when to stop."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine import checkpoint as checkpoints
from engine.compute.sums import Sums
from engine.compute.validation import Validation
from engine.coordinator.source import Source
from engine.data import Sampler
from engine.errors import DivergedError, InterruptedRoundError, RecordsError
from engine.nn.optimizers import State
from engine.nn.parameters import Layout, Vector, all_finite
from engine.records import Recorder, TrainingRow, ValidationRow
from engine.settings import Settings
from engine.system.clock import Clock, TimeLimit
from engine.system.signals import Interrupt
from engine.training.bookkeeping import worker_row
from engine.training.progress import Progress
from engine.training.reporter import Reporter, StepReport
from engine.training.snapshots import SnapshotRecorder

INTERRUPTED = "interrupted"
PACE = 0.1  # weight of the newest step in the speed that is shown

# Given the epoch of a validation and the best percent so far, says why the run is not worth going on, or nothing.
Lost = Callable[[float, float], str]


def never(_epoch: float, _best: float) -> str:
    """Find no reason to give a run up."""
    return ""


@dataclass
class Loop:
    """Everything a run consists of while it goes on. `metadata` is what checkpoints hold besides tensors."""

    settings: Settings
    sampler: Sampler
    layout: Layout
    parameters: Vector
    state: State
    source: Source
    records: Recorder
    snapshots: SnapshotRecorder
    folder: Path
    metadata: dict[str, Any]
    reporter: Reporter
    interrupt: Interrupt
    clock: Clock
    limit: TimeLimit
    test_samples: int
    progress: Progress
    diagnose: Callable[[int, Vector], str | None]  # names the first layer whose output is not finite
    lost: Lost = never

    def __post_init__(self) -> None:
        self._gradient = self.layout.zeros()
        self._began = self.clock.now()
        self._before = (self.progress.elapsed, self.progress.cpu - time.process_time())
        self._validated = self.progress.validation.step if self.progress.validation else -1
        self._saved = -1
        self._rate = 0.0
        self._unsettled: Callable[[], None] | None = None  # what is left to do for the newest step

    def run(self) -> tuple[str, str]:
        """Train until there is a reason to stop; return the state the run ends in and the reason."""
        try:
            reason = self._take_steps()
            self.save()
        except RecordsError:
            if not self.records.there():
                # A run whose steps nobody will find is not worth going on with, and to write the file anew would undo
                # what someone may have wanted. Its rows are lost as it is; the parameters need not be.
                self._write_checkpoint()
            raise
        if reason == INTERRUPTED:
            return INTERRUPTED, f"it got {self.interrupt.requested}"
        return "finished", reason

    def _take_steps(self) -> str:
        """Train until there is a reason to stop, and return it."""
        try:
            return self._train()
        except InterruptedRoundError:
            return self._told()  # the reason for which the round was given up is still there
        finally:
            self._settle()

    def _train(self) -> str:
        """Take steps until there is a reason to stop, and return it; without an interruption, validate in the end."""
        if self.progress.step and self._validated != self.progress.step and self._due(self.settings.validate_every):
            self._validate()  # the last sitting was interrupted in it
        while not (reason := self._reason()):
            self._step()
            if self._due(self.settings.validate_every):
                self._validate()
            if self._due(self.settings.checkpoint_every):
                self.save()
        if reason != INTERRUPTED and self._validated != self.progress.step:
            self._validate()
        return reason

    def timing(self) -> dict[str, float]:
        """Return where the mean step of this sitting went, in milliseconds; `other` is records and reports."""
        steps = max(self.progress.taken, 1)
        seconds = asdict(self.source.timing) | {"optimizer": self.progress.optimizer_seconds}
        seconds["other"] = max(0.0, self.progress.seconds - sum(seconds.values()))
        return {name: 1000 * value / steps for name, value in seconds.items()}

    @property
    def last_step(self) -> int | None:
        """The step that ends the run; None if something else does."""
        return self.settings.last_step(self.sampler.n)

    def _reason(self) -> str:
        """Return why there should be no further step, or nothing."""
        if reached := self._reached():
            return reached  # even if interrupted: there is nothing left to go on with
        return self._told()

    def _told(self) -> str:
        """Return what ends the sitting however far the run is, or nothing."""
        if self.interrupt.requested:
            return INTERRUPTED
        if self.limit.reached():
            return f"the time limit of {self.settings.time_limit:g} seconds is reached"
        return ""

    def _reached(self) -> str:
        """Return which goal of the whole run is reached, or nothing."""
        progress, settings = self.progress, self.settings
        if self.last_step is not None and progress.step >= self.last_step:
            return f"{progress.step} steps are done"
        seen = progress.validation
        if seen is None or seen.step != progress.step:
            return ""
        if settings.target is not None and seen.percent >= settings.target:
            return f"validation reached the target of {settings.target:g} %"
        return self.lost(self._epoch(), progress.best_percent or 0.0)

    def _due(self, every: int) -> bool:
        """Tell whether what happens every so many steps (0: once an epoch) is due after this step."""
        return self.progress.step % (every or self.sampler.steps_per_epoch) == 0

    def _times(self) -> tuple[float, float]:
        """Bring up to date, and return, the run's elapsed and processor seconds."""
        elapsed, cpu = self._before
        self.progress.elapsed = elapsed + self.clock.now() - self._began
        self.progress.cpu = cpu + time.process_time() + self.source.cpu_seconds()
        return self.progress.elapsed, self.progress.cpu

    def _epoch(self) -> float:
        return self.progress.step / self.sampler.steps_per_epoch

    def _step(self) -> None:
        """Take one step: gradient, check, optimizer. Records and reports of it are made while the next is computed."""
        began = self.clock.now()
        number = self.progress.step + 1
        pending = self.source.start(number, self.parameters, self._gradient)
        self._settle()
        sums = pending.result()
        samples = len(self.sampler.indices(number))
        if not self._finite(sums):
            sums = self.source.start(number, self.parameters, self._gradient, thorough=True).result()
        if not self._finite(sums):
            self.snapshots.before(number, self.parameters, self._gradient, samples, last=True)
            self._diverged(number, sums.loss / samples)
        self.snapshots.before(number, self.parameters, self._gradient, samples)
        ready = self.clock.now()
        self.state.step(self.parameters, self._gradient, 1 / samples)
        self.progress.optimizer_seconds += self.clock.now() - ready
        self.snapshots.after(self.parameters)
        self.progress.step = number
        seconds = self.clock.now() - began
        self.progress.seconds += seconds
        self._unsettled = partial(self._account, sums.loss, sums.correct, samples, seconds)

    def _finite(self, sums: Sums) -> bool:
        """Tell whether the loss and the gradient of a batch are finite."""
        return math.isfinite(sums.loss) and all_finite(self._gradient)

    def _settle(self) -> None:
        """Record and report the newest step, unless that is done."""
        if self._unsettled:
            unsettled, self._unsettled = self._unsettled, None
            unsettled()

    def _account(self, loss: float, correct: int, samples: int, seconds: float) -> None:
        """Record and report a step that took `seconds`."""
        progress = self.progress
        progress.taken += 1
        progress.images += samples
        progress.recent.append((loss, samples))
        elapsed, cpu = self._times()
        mean, percent = loss / samples, 100 * correct / samples
        momentum = self.settings.momentum if self.settings.optimizer == "momentum" else None
        now, lr = time.time(), self.state.lr
        row = (progress.step, self._epoch(), now, elapsed, cpu, percent, mean, samples, lr, momentum)
        self.records.training(TrainingRow(*row))
        rate = samples / max(seconds, 1e-9)
        self._rate += (rate - self._rate) * (PACE if self._rate else 1.0)
        report = StepReport(progress.step, self._epoch(), mean, percent, samples, self._rate, elapsed)
        self.reporter.step(report, self.source.workers())

    def _validate(self) -> None:
        self._settle()
        progress = self.progress
        self.reporter.status("validating")
        sums = self.source.validate(progress.step, self.parameters)
        loss = sums.loss / self.test_samples
        progress.validation = Validation(progress.step, sums.correct, self.test_samples, loss)
        percent = progress.validation.percent
        progress.best_percent = max(percent, progress.best_percent or 0.0)
        self._validated = progress.step
        elapsed, cpu = self._times()
        row = (progress.step, self._epoch(), time.time(), cpu, elapsed, percent, loss)
        self.records.validation(ValidationRow(*row))
        self.reporter.validated(progress.validation)

    def save(self) -> Path:
        """Save a checkpoint, unless this step has one, and return its path."""
        self._settle()
        progress = self.progress
        if self._saved == progress.step and progress.saved:
            return progress.saved
        self._times()
        for worker in self.source.workers():  # so much is known of them if the run is killed
            self.records.worker(worker_row(worker))
        self.records.flush()  # no row of a saved step may be missing
        return self._write_checkpoint()

    def _write_checkpoint(self) -> Path:
        """Write a checkpoint, whatever the records have of its steps, and return its path."""
        progress = self.progress
        seen = progress.validation
        metadata = self.metadata | {
            "elapsed": progress.elapsed,
            "cpu": progress.cpu,
            "best_percent": progress.best_percent,
            "validation": seen.asdict() | {"step": seen.step} if seen else None,
        }
        state = {name: dict(self.layout.public(vector)) for name, vector in self.state.tensors().items()}
        tensors = dict(self.layout.public(self.parameters))
        progress.saved = checkpoints.save(self.folder, checkpoints.Checkpoint(progress.step, tensors, state, metadata))
        self._saved = progress.step
        return progress.saved

    def _diverged(self, step: int, loss: float) -> None:
        """Save what was good before `step`, and raise DivergedError."""
        layer = self.diagnose(step, self.parameters)
        if layer is None:
            bad = [name for name in self.layout.specs if not np.isfinite(self.layout.view(self._gradient, name)).all()]
            layer = bad[-1].partition(".")[0] if bad else "the loss"
        good = (
            f"the last good checkpoint is {self.save()}" if np.isfinite(self.parameters).all() else "nothing is saved"
        )
        raise DivergedError(
            f"step {step}: the loss is {loss:g}; the first values that are not finite are in {layer}; {good}; "
            f"a smaller learning rate than {self.state.lr:g} may help"
        )
