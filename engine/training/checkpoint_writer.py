"""Saves the checkpoints of a run."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint, RunState
from engine.compute.validation import Validation
from engine.training.state import TrainingState

log = logging.getLogger("gradsum.training")


class CheckpointWriter:
    """Writes the state of training, as it is when it is asked to, into `folder`. `run`: what does not change of it."""

    def __init__(self, folder: Path, state: TrainingState, run: RunState) -> None:
        self._folder = folder
        self._state = state
        self._run = run
        self._saved: tuple[int, Validation | None, Path] | None = None

    @property
    def saved(self) -> Path | None:
        """The checkpoint of the newest step, if it has been written and tells of the newest validation."""
        progress = self._state.progress
        step, validation, path = self._saved or (-1, None, None)
        return path if step == progress.step and validation is progress.validation else None

    def kept(self, validation: Validation) -> Path | None:
        """Return the checkpoint with the parameters that were validated, if it is in the folder."""
        return checkpoints.kept(self._folder, validation.step, self._run.uuid)

    def write(self) -> Path:
        """Write a checkpoint and return its path; CheckpointError if it cannot be written."""
        progress, (parameters, optimizer) = self._state.progress, self._state.arrays()
        run = replace(
            self._run,
            elapsed=progress.elapsed,
            cpu=progress.cpu,
            best_percent=progress.best_percent,
            best_r2=progress.best_r2,
            validation=_plain(progress.validation),
            best=_plain(progress.best),
            digests=self._state.digests,
        )
        path = checkpoints.save(self._folder, Checkpoint(progress.step, parameters, optimizer, run))
        self._saved = progress.step, progress.validation, path
        log.info("checkpoint saved: %s", path)
        return path


def _plain(validation: Validation | None) -> dict[str, Any] | None:
    """Return what `Validation.from_dict` reads."""
    return validation.asdict() | {"step": validation.step} if validation else None
