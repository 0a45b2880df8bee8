"""Saves the checkpoints of a run."""

import logging
from dataclasses import replace
from pathlib import Path

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint, RunState
from engine.training.state import TrainingState

log = logging.getLogger("gradsum.training")


class CheckpointWriter:
    """Writes the state of training, as it is when it is asked to, into `folder`. `run`: what does not change of it."""

    def __init__(self, folder: Path, state: TrainingState, run: RunState) -> None:
        self._folder = folder
        self._state = state
        self._run = run
        self._saved: tuple[int, Path] | None = None

    @property
    def saved(self) -> Path | None:
        """The checkpoint of the newest step, if it has been written."""
        step, path = self._saved or (-1, None)
        return path if step == self._state.progress.step else None

    def write(self) -> Path:
        """Write a checkpoint and return its path; CheckpointError if it cannot be written."""
        progress, (parameters, optimizer) = self._state.progress, self._state.arrays()
        seen = progress.validation
        run = replace(
            self._run,
            elapsed=progress.elapsed,
            cpu=progress.cpu,
            best_percent=progress.best_percent,
            best_r2=progress.best_r2,
            validation=seen.asdict() | {"step": seen.step} if seen else None,
        )
        path = checkpoints.save(self._folder, Checkpoint(progress.step, parameters, optimizer, run))
        self._saved = progress.step, path
        log.info("checkpoint saved: %s", path)
        return path
