"""What is kept of a run, and how often."""

from dataclasses import dataclass
from typing import TypedDict

from engine.settings.field import FILES, SNAPSHOTS, setting

SNAPSHOT_EVERY = 32  # steps
SNAPSHOT_BUDGET = 256  # megabytes


@dataclass(frozen=True)
class RecordsSettings:
    """What is kept of a run, and how often."""

    validate_every: int = setting(int, 0, FILES, "steps between validations", 0, 1 << 40, unset="once an epoch")
    top_k: int = setting(
        int, 5, FILES, "a validation also counts how often the class is among so many of the likeliest; 0: not", 0, 128
    )
    checkpoint_every: int | str = setting(
        int,
        0,
        FILES,
        "steps, or time (90s, 10m, 2h), between checkpoints",
        0,
        1 << 40,
        timed=True,
        unset="once an epoch, at least every 5 minutes",
    )
    snapshot_first: int = setting(
        int, 32, SNAPSHOTS, "record all parameters and gradients of this many first steps", 0, 1 << 40
    )
    snapshot_every: int | None = setting(
        int,
        None,
        SNAPSHOTS,
        "and those of every step divisible by this; 0: of none",
        0,
        1 << 40,
        optional=True,
        unset=str(SNAPSHOT_EVERY),
    )
    snapshot_budget: int | None = setting(
        int,
        None,
        SNAPSHOTS,
        "megabytes of snapshots to keep: when they are full, every second one is deleted; 0: no limit",
        0,
        1 << 40,
        optional=True,
        unset=f"{SNAPSHOT_BUDGET}; no limit if --snapshot-every is given",
    )
    snapshot_layers: str | None = setting(
        str, None, SNAPSHOTS, "layers to record, such as c1,c2", optional=True, unset="all"
    )
    statistics_every: int = setting(int, 32, SNAPSHOTS, "steps between statistics of every layer; 0: none", 0, 1 << 40)


class RecordsDict(TypedDict, total=False):
    """The same as keyword arguments."""

    validate_every: int
    top_k: int
    checkpoint_every: int | str
    snapshot_first: int
    snapshot_every: int | None
    snapshot_budget: int | None
    snapshot_layers: str | None
    statistics_every: int
