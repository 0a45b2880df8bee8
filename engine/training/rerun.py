"""The run of a checkpoint, put together from what the checkpoint says of it, to be computed a second time."""

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.checkpoint import Checkpoint, RunState
from engine.compute.fingerprint import fingerprint
from engine.data import Dataset, load
from engine.data.cache import store
from engine.data.collection import Progress
from engine.data.sources import full_path, is_there
from engine.errors import CheckpointError, DataError, SettingsError
from engine.kernels.choose import AUTO
from engine.kernels.environment import BACKEND
from engine.nn.model import model_from
from engine.nn.schedule import Rising
from engine.settings import ENDS, TRAJECTORY, Settings
from engine.training.reading import reading_of
from engine.training.resume import continued_settings
from engine.training.run import KERNELS, NUMERICS, OWN, Run

# No worker joins from outside, nothing is audited, and nothing is recorded that the comparison does not need.
REPLACED: dict[str, Any] = {
    "bind": None,
    "key": None,
    "insecure": False,
    "min_workers": None,
    "audit": 0.0,
    "snapshot_first": 0,
    "snapshot_every": 0,
    "statistics_every": 0,
    "checkpoint_every": 1 << 40,
}
NUMPY = "numpy"


def rerun_settings(end: Checkpoint, workers: int | None, kernels: str | None, allow_slow: bool) -> Settings:
    """Return the settings of the run, with these workers and kernels, to end at the step of `end`.

    Raises CheckpointError for a checkpoint of another version of this program, SettingsError for kernels that have
    other bits than those of the run in any case.
    """
    Settings(workers=workers, kernels=kernels, allow_slow=allow_slow)
    before = continued_settings(end.run, {})
    here, there = _program(fingerprint()), _program(end.run.versions.get(NUMERICS, ""))
    if here != there:
        raise CheckpointError(
            f"the checkpoint was made by another version of gradsum ({there or 'one that it does not name'}; this is "
            f"{here}), which may compute other bits: verify it with that version"
        )
    chosen = _kernels(end.run, kernels)
    ends: dict[str, Any] = dict.fromkeys(ENDS) | {"steps": max(end.step, 1)}
    return replace(before, **REPLACED, **ends, workers=workers, kernels=chosen, allow_slow=allow_slow).resolved()


def _program(numerics: str) -> str:
    """Return what a fingerprint says of the program's source."""
    return next((part for part in numerics.split("; ") if part.startswith("program ")), "")


def _kernels(run: RunState, asked: str | None) -> str:
    """Return the kernels that were asked for, here or by the environment, or else those that can verify the run."""
    computed = run.versions.get(KERNELS)
    asked = asked or os.environ.get(BACKEND, AUTO)
    if asked == AUTO:
        return NUMPY if computed == NUMPY else "numba" if find_spec("numba") else "exact"
    if computed and (asked == NUMPY) != (computed == NUMPY):
        raise SettingsError(
            f"the run was computed by {computed} kernels: numpy's bits are its own, so {asked} kernels cannot "
            f"verify it; use --kernels {NUMPY if computed == NUMPY else 'numba or exact'}"
        )
    return asked


def check_start(first: Checkpoint | None, end: Checkpoint) -> None:
    """Raise CheckpointError unless `first`, None for the beginning of the run, is an earlier checkpoint of `end`'s."""
    if first is None:
        return
    if first.run.uuid != end.run.uuid or first.run.model != end.run.model:
        raise CheckpointError("--from names a checkpoint of another run; name one of the same run")
    if first.step >= end.step:
        raise CheckpointError(f"--from is at step {first.step}, the checkpoint at step {end.step}: name an earlier one")
    for name in TRAJECTORY:
        if first.run.settings.get(name) != end.run.settings.get(name):
            raise CheckpointError(f"--from was trained with another {name.replace('_', '-')}; name one of the same run")


def rerun(
    end: Checkpoint, first: Checkpoint | None, settings: Settings, data: object, folder: Path, progress: Progress
) -> Run:
    """Return the run of `end`, to be continued from `first`, with `settings`; it writes to `folder` and nowhere else.

    Raises DataError or SettingsError if the data of the run cannot be found. `progress` is as for `load`.
    """
    stored = end.run
    dataset, source = _data(stored, data, progress)
    digest = store(dataset)
    if digest != stored.data.digest:
        raise DataError(
            f"{source or dataset.name} is not the data of the run: its digest is {digest[:12]}, that of the run's "
            f"{str(stored.data.digest)[:12]}; name the data that it was trained on with --data"
        )
    dataset = dataset.hold_out(settings.validation)
    return Run(
        uuid=stored.uuid or "",
        settings=settings,
        model=model_from(stored.model),
        model_name=stored.model_name or OWN,
        data=dataset,
        source=source,
        digest=digest,
        normalisation=dataset.train.normalisation(),
        db=folder / "records.db",
        folder=folder / "checkpoints",
        rates=rates_of(stored),
        checkpoint=first and replace(first, run=replace(first.run, versions={})),  # which other bits would be, is seen
        values=dataset.train.target_normalisation(),
    )


def rates_of(stored: RunState) -> Rising | None:
    """Return the learning rates of a run of lr-find, None of any other; CheckpointError if they cannot be read."""
    if stored.rates is None:
        return None
    try:
        low, high, steps = (stored.rates[name] for name in ("low", "high", "steps"))
        return Rising(float(low), float(high), int(steps))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the rates of lr-find in the checkpoint cannot be read: {error}") from None


def _data(stored: RunState, given: object, progress: Progress) -> tuple[Dataset, str | None]:
    """Return the data set that is `given`, or else that of the run, and where it comes from."""
    reading = reading_of(stored)
    if isinstance(given, Dataset):
        return given, None
    if given is not None and not isinstance(given, str | Path):
        return load(given, **reading.given(), progress=progress), None
    if given is None and stored.data.source is None:
        raise SettingsError(f"the run had data given in Python ({stored.data.name}): name the same data with --data")
    source = full_path(str(given)) if given is not None else str(stored.data.source)
    if not is_there(source):
        raise DataError(
            f"the data of the run, {source}, is not there; name the same data with --data (its digest is "
            f"{str(stored.data.digest)[:12]})"
        )
    return load(source, **reading.given(), progress=progress), source
