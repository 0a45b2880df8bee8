"""The training loop: steps, validations, checkpoints, in this order, until there is a reason to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from engine.compute.validation import Validation
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.source import Source
from engine.errors import DivergedError, InterruptedRoundError, StorageError
from engine.nn.parameters import Vector
from engine.training.checkpoint_due import CheckpointDue
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.context import RunContext
from engine.training.divergence import first_not_finite
from engine.training.gradient_check import Checked, GradientCheck
from engine.training.run import Run
from engine.training.snapshots import SnapshotRecorder
from engine.training.state import TrainingState
from engine.training.step_log import StepLog
from engine.training.step_times import StepTimes
from engine.training.stopping import StopKind, Stopping, StopReason, saving


@dataclass
class Loop:
    """Trains `state` as `run` says, with gradients from `source`."""

    run: Run
    state: TrainingState
    source: Source
    stopping: Stopping
    log: StepLog
    checkpoints: CheckpointWriter
    snapshots: SnapshotRecorder
    context: RunContext
    notice: Callable[[Notice], None]

    def __post_init__(self) -> None:
        self.times = StepTimes(self.state.progress, self.source.timing)
        self.due = CheckpointDue(self.run.settings, self.context.clock)
        self._sampler = self.run.sampler()
        self._schedule = self.run.schedule()
        self._out = self.state.layout.zeros()  # where the gradient is added up here
        self._check = GradientCheck(self.state, self.source, self.notice)

    def train(self) -> StopReason:
        """Train until there is a reason to stop, save a checkpoint, and return the reason.

        StorageError if that last checkpoint cannot be saved, UnsavedError if the run was interrupted as well.
        """
        stop = self._train_and_settle()
        with saving(stop, self.state.progress.step):
            self.save()
        return stop

    def _train_and_settle(self) -> StopReason:
        try:
            return self._train()
        except InterruptedRoundError:
            stop = self.stopping.demand() or self.stopping.reason(self.state.progress)
            if stop is None:
                raise
            return stop
        finally:
            self.log.settle()

    def _train(self) -> StopReason:
        """Take steps until there is a reason to stop, and return it; unless it is a signal, validate at the end."""
        settings, state, progress, clock = self.run.settings, self.state, self.state.progress, self.context.clock
        if progress.step and progress.due(settings.validate_every) and not progress.is_validated:
            self._validate()  # the run was interrupted in it
        elif progress.best and progress.best.step == progress.step and not self.checkpoints.kept(progress.best):
            self._try_to_save()  # the checkpoint that it continues is in another folder

        while not (stop := self.stopping.reason(progress)):
            began = clock.now()
            step = progress.step + 1
            samples = len(self._sampler.indices(step))
            rate = self._schedule.rate(step, progress.waiting.reductions)
            sums, gradient, norm, _ = self._compute(step, samples, rate)

            self.snapshots.before(step, state.parameters, gradient, samples)
            computed = clock.now()
            state.apply(gradient, self._scale(norm, samples))
            progress.optimizer_seconds += clock.now() - computed
            self.snapshots.after(state.parameters)

            progress.step = step
            seconds = clock.now() - began
            progress.seconds += seconds
            self.log.step(sums, samples, seconds, norm)
            if progress.due(settings.validate_every):
                self._validate()
            if self.due.now(progress):
                self._try_to_save()

        if stop.kind is not StopKind.INTERRUPTED and not progress.is_validated:
            self._validate()
        return stop

    def _scale(self, norm: float, samples: int) -> float:
        """Return what makes the summed gradient the mean of the batch, scaled down if its `norm` is too large."""
        clip = self.run.settings.clip_norm
        return clip / norm / samples if clip is not None and norm > clip else 1 / samples

    def _compute(self, step: int, samples: int, rate: float) -> Checked:
        """Return the sums over the batch of `step`; DivergedError if they are not finite.

        The learning rate is `rate` from then on.
        """
        pending = self.source.start(step, self.state.parameters, self._out)
        self.log.settle()  # what was left to do for the step before, while this one is computed
        self.times.settled()
        self.state.optimizer.lr = rate
        sums = pending.result()
        checked = self._check.checked(step, sums, samples)
        if not checked.finite:
            self.snapshots.before(step, self.state.parameters, checked.gradient, samples, last=True)
            raise self._diverged(step, checked.sums.loss / samples, checked.gradient)
        return checked

    def _validate(self) -> None:
        self.log.settle()
        progress = self.state.progress
        self.context.reporter.status("validating")
        sums = self.source.validate(progress.step, self.state.parameters)
        validation = self.run.scorer.validation(progress.step, sums)
        best = progress.best
        progress.validated(validation)
        self.log.validated(validation)
        if isnan(validation.loss):
            text = f"the loss of the validation after step {progress.step} is nan: an output is not finite"
            advice = "try a lower learning rate, or look for extreme values in the data"
            self.log.happened(NoticeKind.NOT_FINITE, f"{text}; {advice}")
        if progress.due(self.run.settings.validate_every):
            self._wait(validation)
        if progress.best is validation and not self._try_to_save():
            progress.best = best  # whose checkpoint is still there

    def _wait(self, validation: Validation) -> None:
        """Count a validation that is due, and say so if the learning rate is reduced."""
        plateau, waiting = self.run.settings.plateau, self.state.progress.waiting
        if waiting.take(validation.score, plateau):
            rate = self._schedule.rate(self.state.progress.step + 1, waiting.reductions)
            text = f"the learning rate is {rate:g} from now on: {plateau} validations in a row were no better"
            self.log.happened("reduced", text)

    def _try_to_save(self) -> bool:
        """Save as `save` does; if that fails, report it and return False, so that training continues."""
        try:
            self.save()
        except StorageError as error:
            self.log.happened("unsaved", f"the checkpoint of step {self.state.progress.step} is skipped: {error}")
            return False
        return True

    def save(self) -> Path:
        """Save a checkpoint, unless the newest step has one, and return its path; StorageError if it cannot be."""
        self.log.settle()
        if saved := self.checkpoints.saved:
            return saved
        self.due.tried(self.state.progress.step)
        self.snapshots.settle()
        self.log.secure()  # no row of a saved step may be missing
        return self.checkpoints.write()

    def _diverged(self, step: int, loss: float, gradient: Vector) -> DivergedError:
        """Save the parameters before `step`, and return what to raise.

        They are finite, but may be so large already that outputs are not: so the best checkpoint is named, too.
        """
        layout, parameters = self.state.layout, self.state.parameters
        layer = first_not_finite(self.run, step, layout, parameters, gradient)
        kept = "nothing is saved"
        if np.isfinite(parameters).all() and self._try_to_save():
            kept = f"the parameters before it are in {self.save()}"
        best = self.state.progress.best
        if best and best.step < step - 1 and np.isfinite(best.loss):
            kept += f", and the best validation is that of the checkpoint of step {best.step}"
        return DivergedError(
            f"step {step}: the loss is {loss:g}; the first values that are not finite are in {layer}; {kept}; "
            f"try a learning rate below {self.state.optimizer.lr:g}"
        )
