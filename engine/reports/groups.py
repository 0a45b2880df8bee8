"""What is known of a run, in the groups in which people look at it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.checkpoint import kept
from engine.records import Run

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
