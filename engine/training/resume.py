"""What a run that is continued from a checkpoint may change, and what it may not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.checkpoint import Checkpoint, RunState
from engine.errors import CheckpointError, SettingsError
from engine.nn.model import Model
from engine.records import list_runs
from engine.records.status import RunStatus
from engine.settings import ENDS, TRAJECTORY, Settings


def continued_settings(stored: RunState, given: Mapping[str, Any]) -> Settings:
    """Return the settings of a resumed run: the stored ones, except for those that are given.

    Only what the parameters do not depend on may change: CheckpointError for anything else.
    """
    Settings.build(dict(given))
    if not stored.settings:
        raise CheckpointError(
            "the checkpoint has no settings of its run, so it cannot be resumed; --from begins a new run with its "
            "parameters"
        )
    try:
        before = Settings.build(dict(stored.settings))
    except SettingsError as error:
        raise CheckpointError(f"the checkpoint's settings do not suit this version: {error}") from None
    # After which steps a plateau may be found depends on when there are validations.
    for name in (*TRAJECTORY, *(["validate_every"] if before.plateau else [])):
        if name in given and given[name] is not None and given[name] != getattr(before, name):
            raise CheckpointError(
                f"the run began with {name.replace('_', '-')} {getattr(before, name)}, not {given[name]}: "
                "a resumed run keeps this setting; omit the option, or begin a new run"
            )
    values = before.asdict()
    if any(given.get(name) is not None for name in ENDS):
        values |= dict.fromkeys(ENDS)
    if given.get("snapshot_every") is not None:  # as in a new run, all of these are kept then
        values["snapshot_budget"] = None
    return Settings.build(values | {name: value for name, value in given.items() if value is not None})


def check_rates(stored: RunState) -> None:
    """Raise CheckpointError for a run of lr-find: its rates lead nowhere beyond its end."""
    if stored.rates:
        raise CheckpointError(
            "the checkpoint is of gradsum lr-find, which tried learning rates: it cannot be resumed; --from begins a "
            "new run with its parameters"
        )


def check_continued(earlier: Checkpoint, digest: str, name: str, model: Model, last_step: int | None, db: Path) -> None:
    """Raise CheckpointError unless data and model are those the run began with, SettingsError if nothing is left to do.

    `digest` and `name` are those of the data, `db` has the records.
    """
    check_same(earlier.run, digest, name, model)
    check_end(last_step, earlier, db)


def check_end(last_step: int | None, earlier: Checkpoint, db: Path) -> None:
    """Raise SettingsError if a run has nothing left to do, not even its last validation, or to be recorded as finished.

    `db` are its records: a process that was killed after it had saved the last step leaves them open.
    """
    validated = (earlier.run.validation or {}).get("step")
    if last_step is None or earlier.step < last_step or validated != earlier.step:
        return
    if earlier.step > last_step or not _is_open(db, earlier.run.uuid):
        raise SettingsError(
            f"the run is already at step {earlier.step} and ends at step {last_step}; steps and epochs count from the "
            "start of the run: give more --steps or --epochs to continue"
        )


def _is_open(db: Path, uuid: str | None) -> bool:
    """Return whether the database `db` has a run with this uuid that it does not call finished."""
    return db.is_file() and any(run["uuid"] == uuid and run["state"] is not RunStatus.FINISHED for run in list_runs(db))


def check_same(stored: RunState, digest: str, name: str, model: Model) -> None:
    """Raise CheckpointError unless data and model are those the run began with."""
    if (was := stored.data.digest) != digest:
        raise CheckpointError(
            f"the run began with data {stored.data.name} (digest {str(was)[:12]}), "
            f"this is {name} ({digest[:12]}); resume with the same data, or begin a new run"
        )
    if stored.model != model.describe():
        raise CheckpointError("the run began with another model; omit --model, or begin a new run")
