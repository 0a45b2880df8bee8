"""What is known of a run, in the groups in which people look at it."""

from collections.abc import Mapping
from typing import Any

_RESULTS = (
    "state",
    "reason",
    "steps",
    "epochs",
    "train_loss",
    "best_percent",
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


def groups(run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns of `run`, as `list_runs` has it, as "run", "settings", "versions" and "results".

    Settings are the columns that are some, and all there are in the JSON object of that name.
    """
    return {
        "run": {column: run[column] for column in _PLACE},
        "settings": {column: run[column] for column in _SETTINGS} | run["settings"],
        "versions": dict(run["versions"]),
        "results": {column: run[column] for column in _RESULTS},
    }
