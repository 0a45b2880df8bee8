"""What is known of a run, in the groups in which people look at it."""

from collections.abc import Mapping
from typing import Any

from engine.records import Run

_RESULTS = (
    "state",
    "reason",
    "steps",
    "epochs",
    "train_loss",
    "best_percent",
    "best_r2",
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
    "optimizer",
    "lr",
    "batch_size",
    "microbatch",
    "workers",
    "seed",
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


def groups(run: Run) -> dict[str, dict[str, Any]]:
    """Return the columns of `run` as "run", "settings", "versions" and "results".

    Settings are the columns that are settings, and all entries of the JSON object of that name.
    """
    columns: Mapping[str, Any] = run
    return {
        "run": {name: columns[name] for name in _PLACE},
        "settings": {name: columns[name] for name in _SETTINGS} | dict(run["settings"]),
        "versions": dict(run["versions"]),
        "results": {name: columns[name] for name in _RESULTS},
    }
