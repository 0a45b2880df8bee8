"""What a setting is: a dataclass field with its help text, its group and its range."""

import math
from dataclasses import field
from typing import Any

# Groups of the help.
DATA, TRAINING, LENGTH = "data and model", "training", "how long"
OPTIMIZER, SCHEDULE = "optimizer", "learning rate over time"
WORKERS, REMOTE = "workers", "workers on other machines"
FILES, SNAPSHOTS = "records and checkpoints", "snapshots"

DECIDING = (DATA, TRAINING, OPTIMIZER, SCHEDULE)  # what the parameters after a step depend on


def setting(
    kind: type, default: Any, group: str, text: str, low: float | None = None, high: float = math.inf, **more: Any
) -> Any:
    """Return a dataclass field with its help text, the group of the help it belongs to, and its range if a number.

    `more`: `choices` (allowed words), `optional` (None is allowed), `above`, `below` (`low`, `high` itself is out),
    `unset` (in words, what a default of None or 0 stands for), `timed` (text that `seconds_of` reads is allowed),
    `switch` (true and false are allowed, besides text), `check` (raises SettingsError for text that is wrong).
    """
    metadata = {"kind": kind, "group": group, "help": text, "low": low, "high": high} | more
    return field(default=default, metadata=metadata)
