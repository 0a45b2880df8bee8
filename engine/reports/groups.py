"""What is known of a run, as people look at it: its scores, and its columns in groups."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.checkpoint import kept
from engine.records import Run
from engine.reports.text import number

_RESULTS = (
    "state",
    "reason",
    "steps",
    "epochs",
    "train_loss",
    "best_percent",
    "best_r2",
    "best_step",
    "last_percent",
    "last_r2",
    "images_per_second",
    "wall_seconds",
    "cpu_seconds",
    "params_sha256",
)
_SETTINGS = (
    "model",
    "data",
    "generated",
    "data_digest",
    "parts",
    "start",
    "optimizer",
    "lr",
    "batch_size",
    "microbatch",
    "workers",
    "seed",
    "snapshot_schedule",
)
_PLACE = (
    "startID",
    "name",
    "uuid",
    "started",
    "finished",
    "host",
    "cores",
    "pid",
    "process",
    "git_commit",
    "command",
    "folder",
)


class Scores(NamedTuple):
    """How a run did in its best validation and in its last one: percent correct, or `r2`. None where there was none."""

    r2: bool
    best: float | None
    last: float | None

    @property
    def name(self) -> str:
        """What the scores are called."""
        return "R²" if self.r2 else "% correct"

    def cell(self, score: float | None) -> str:
        """Return a score without its unit, "-" for None."""
        return number(score, ".4f" if self.r2 else ".2f")


def scores(run: Run) -> Scores:
    """Return the scores of a run: percent correct, or R² where values are predicted."""
    if run["best_r2"] is None:
        return Scores(False, run["best_percent"], run["last_percent"])
    return Scores(True, run["best_r2"], run["last_r2"])


def samples_of(run: Run) -> str:
    """Return what the run's samples are called, images or rows: only the sentence on its parts tells."""
    return "rows" if re.match(r"trains with [\d,]+ rows\b", run["parts"] or "") else "images"


def best_checkpoint(run: Run) -> Path | None:
    """Return the checkpoint of the step that did best in validation; None if it is not there any more."""
    if run["best_step"] is None or not run["folder"]:
        return None
    return kept(run["folder"], run["best_step"], run["uuid"])


def groups(run: Run) -> dict[str, dict[str, Any]]:
    """Return the columns of `run` as "run", "settings", "versions" and "results", which tell where the best network is.

    Settings are the columns that are settings, and all entries of the JSON object of that name.
    """
    columns: Mapping[str, Any] = run
    best = best_checkpoint(run)
    return {
        "run": {name: columns[name] for name in _PLACE},
        "settings": {name: columns[name] for name in _SETTINGS} | dict(run["settings"]),
        "versions": dict(run["versions"]),
        "results": {name: columns[name] for name in _RESULTS} | {"best_checkpoint": str(best) if best else None},
    }
