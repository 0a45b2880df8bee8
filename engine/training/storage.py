"""Where a run is recorded, and where its checkpoints go."""

import os
import time
from contextlib import nullcontext
from pathlib import Path

from engine import checkpoint as checkpoints
from engine.training.defaults import DEFAULT_DB

LOGS = "workers"  # the folder, beside the checkpoints, of what workers say that a launcher places


def database_for(given: Path | None, recorded: str | None) -> Path:
    """Return the database: the one given, or else the one recorded in the checkpoint that is continued.

    Where that one's folder does not exist, the checkpoint comes from another machine: then the default one.
    """
    if given is not None:
        return given
    return Path(recorded) if recorded and os.path.isdir(Path(recorded).parent) else DEFAULT_DB  # noqa: PTH112 - False for a closed folder, too


def folder_for(resume: Path | None, db: Path, identity: str) -> Path:
    """Return the folder of the checkpoints: where they were, or a new one in the folder that `db` has for them."""
    if known := known_folder(None, resume):
        return known
    return _beside(db) / f"{time.strftime('%Y%m%d-%H%M%S')}-{identity[:6]}"


def known_folder(out: Path | None, resume: Path | None) -> Path | None:
    """Return the folder of the checkpoints where it is known before anything is read; None where it is not."""
    if out is None and resume is not None and resume.exists():
        return resume if resume.is_dir() else resume.parent
    return out


def check_folder(folder: Path, identity: str) -> None:
    """Raise CheckpointError if checkpoints of the run cannot go to `folder`.

    If it had to be made it is removed again: if something else is wrong, nothing is left behind.
    """
    with nullcontext() if folder.exists() else checkpoints.held(folder):
        checkpoints.prepare(folder, identity)


def _beside(db: Path) -> Path:
    """Return `x` for x.db. The default database has a folder of its own already."""
    if db.absolute() == DEFAULT_DB.absolute():
        return db.parent
    if not db.name:  # "." or "/": a folder, as is said when it is opened
        return db
    return db.with_suffix("") if db.suffix else db.with_name(f"{db.name}-checkpoints")
