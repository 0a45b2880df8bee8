"""Turns what was asked for into a run that can begin: data, model, settings, places, and where to continue."""

import platform
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint
from engine.compute.fingerprint import fingerprint
from engine.compute.job import Job
from engine.data import Dataset, Normalisation, load
from engine.data.cache import store
from engine.data.reading import Manner
from engine.data.sources import full_path
from engine.errors import CheckpointError, SettingsError
from engine.nn.model import Model, check_fits, load_model, model_from
from engine.records import RunRow
from engine.settings import ENDS, TRAJECTORY, Settings
from engine.training.snapshots import choose

DEFAULT_DB = Path("runs/gradsum.db")
MAX_NAME = 200
NUMERICS = "numerics"  # what the fingerprint is called among the versions
OWN = "own"  # what a model is called that was given in Python


@dataclass(frozen=True)
class Run:
    """All that is decided before the first process starts.

    `source` is the name or path the data came from, None if it was given as it is.
    """

    uuid: str
    settings: Settings
    model: Model
    model_name: str
    data: Dataset
    source: str | None
    digest: str
    normalisation: Normalisation
    db: Path
    folder: Path
    checkpoint: Checkpoint | None
    name: str | None = None

    def job(self) -> Job:
        """Return what workers must know."""
        s = self.settings
        return Job(self.model, self.digest, self.normalisation, s.batch_size, s.microbatch, s.seed, s.augment)

    def last_step(self) -> int | None:
        """Return the step that ends the run; None if something else does."""
        return self.settings.last_step(len(self.data.train))

    def metadata(self) -> dict[str, Any]:
        """Return what every checkpoint of the run holds besides tensors."""
        data = {"name": self.data.name, "digest": self.digest, "classes": list(self.data.classes)}
        data |= asdict(Manner.of(self.data))
        return {
            "run": self.uuid,
            "name": self.name,
            "model": self.model.describe(),
            "model_name": self.model_name,
            "settings": self.settings.asdict(),
            "data": data | {"generated": self.data.generated, "source": self.source},
            "normalisation": asdict(self.normalisation),
            "versions": versions() | {NUMERICS: fingerprint()},
            "db": str(self.db.absolute()),
        }

    def row(self) -> RunRow:
        """Return the run's row in the records."""
        s = self.settings
        return RunRow(
            model=self.model_name,
            data=self.data.name,
            optimizer=s.optimizer,
            lr=s.lr or 0.0,
            batch_size=s.batch_size,
            microbatch=s.microbatch,
            workers=s.workers or 0,
            seed=s.seed,
            uuid=self.uuid,
            name=self.name,
            generated=self.data.generated,
            data_digest=self.digest,
            settings=s.asdict(),
            versions=versions() | {NUMERICS: fingerprint()},
            folder=str(self.folder.absolute()),
        )

    def other_numerics(self) -> str:
        """Say so if the checkpoint that is continued has another fingerprint; one of an old version has none."""
        here = fingerprint()
        there = _text(self.checkpoint.metadata, "versions", NUMERICS) if self.checkpoint else None
        if there in (None, here):
            return ""
        was, now = (
            "; ".join(part for part in one.split("; ") if part not in other.split("; "))
            for one, other in ((there, here), (here, there))
        )
        return (
            "this machine or version computes other bits than the one that saved the checkpoint: "
            f"the run goes on, but not to the bit ({was} then, {now} now)"
        )


@cache  # it reads files, and is asked at every checkpoint
def versions() -> dict[str, str]:
    """Return the versions of the packages that a result may depend on."""
    names = ("gradsum", "numpy", "scipy", "pyzmq", "safetensors")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


def choose_settings(given: Mapping[str, Any], earlier: Checkpoint | None) -> Settings:
    """Return the settings: what was given, over those of the checkpoint that is continued, over the defaults."""
    settings = Settings.build(dict(given)) if earlier is None else continued(earlier.metadata, given)
    settings = settings.resolved()
    settings.make_optimizer()
    return settings


def prepare(
    model: Model | str | Path | None,
    data: object,
    settings: Settings,
    db: Path | None,
    out: Path | None,
    resume: Path | None,
    earlier: Checkpoint | None,
    name: str | None = None,
) -> Run:
    """Put a run together from what was given; the rest has a default, or comes from `earlier`, read from `resume`.

    Raises UsageError of the kind that says what does not fit.
    """
    stored = {} if earlier is None else earlier.metadata
    called = checked_name(name) or _text(stored, "name")
    source, dataset = _choose_data(data, stored)
    chosen = _choose_model(model, stored, dataset, settings)
    check_fits(chosen, dataset.shape, len(dataset.classes))
    choose(settings, chosen.layout())
    digest = store(dataset)
    if earlier is not None:
        _check_same(stored, digest, dataset.name, chosen)
        check_end(settings.last_step(len(dataset.train)), earlier)
    identity = _text(stored, "run") or uuid.uuid4().hex
    where = db or Path(_text(stored, "db") or DEFAULT_DB)
    folder = out or _folder(resume, where, identity)
    _check_folder(folder, identity)
    kind = _text(stored, "model_name") or (OWN if isinstance(model, Model) else str(model or "letters"))
    normalisation = Normalisation.of(dataset.train.images)
    return Run(identity, settings, chosen, kind, dataset, source, digest, normalisation, where, folder, earlier, called)


def variant(base: Run, identity: str, settings: Settings, model: Model, model_name: str, folder: Path) -> Run:
    """Return another run on the data of `base`, with the uuid `identity`; it goes on from what `folder` has of it.

    Raises UsageError of the kind that says what does not fit.
    """
    chosen = model.with_dropout(settings.dropout) if settings.dropout else model
    check_fits(chosen, base.data.shape, len(base.data.classes))
    choose(settings, chosen.layout())
    _check_folder(folder, identity)
    earlier = checkpoints.load(folder) if checkpoints.has_any(folder) else None
    return replace(
        base,
        uuid=identity,
        settings=settings,
        model=chosen,
        model_name=model_name,
        folder=folder,
        checkpoint=earlier,
    )


def checked_name(name: str | None) -> str | None:
    """Return `name`; SettingsError unless it can be told apart from the number of a run, and be printed."""
    if name is not None and (not name.strip() or name.isdecimal() or len(name) > MAX_NAME or not name.isprintable()):
        raise SettingsError(
            f"name must be text of at most {MAX_NAME} characters that can be printed, and no number, got {name!r:.60}"
        )
    return name


def continued(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Settings:
    """Return the settings of a resumed run: the stored ones, with what was given anew.

    Only what the parameters do not depend on may change: CheckpointError for anything else.
    """
    Settings.build(dict(given))
    if not stored.get("settings"):
        raise CheckpointError("the checkpoint does not say what its run's settings are: it cannot be resumed")
    try:
        before = Settings.build(dict(stored["settings"]))
    except SettingsError as error:
        raise CheckpointError(f"the checkpoint's settings are not those of this version: {error}") from None
    for name in TRAJECTORY:
        if name in given and given[name] is not None and given[name] != getattr(before, name):
            raise CheckpointError(
                f"the run was begun with {name.replace('_', '-')} {getattr(before, name)}, not {given[name]}: "
                "resuming continues the very same run; leave the option out, or begin a new run"
            )
    values = before.asdict()
    if any(given.get(name) is not None for name in ENDS):
        values |= dict.fromkeys(ENDS)
    return Settings.build(values | {name: value for name, value in given.items() if value is not None})


def check_end(last_step: int | None, earlier: Checkpoint) -> None:
    """Raise SettingsError if a run has nothing left to do, not even a last validation that was interrupted."""
    seen = earlier.metadata.get("validation") or {}
    if last_step is not None and earlier.step >= last_step and seen.get("step") == earlier.step:
        raise SettingsError(
            f"the run is at step {earlier.step} already and was to end at {last_step}: steps and epochs count from the "
            "beginning of the run; give more --steps or --epochs to go on"
        )


def _text(stored: Mapping[str, Any], *keys: str) -> str | None:
    """Return the text that is found in `stored` by following `keys`; None if there is none."""
    value: Any = stored
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None


def _choose_data(data: object, stored: Mapping[str, Any]) -> tuple[str | None, Dataset]:
    """Return the data and where it comes from, a path in full, so that resuming finds it from any folder."""
    if data is not None and not isinstance(data, str | Path):
        return None, load(data)
    if data is None and stored and _text(stored, "data", "source") is None:
        name = _text(stored, "data", "name")
        raise SettingsError(f"the run was begun with data given in Python ({name}): give the same data to resume it")
    source = str(_text(stored, "data", "source") or "letters") if data is None else str(data)
    source = full_path(source)
    return source, load(source)


def _choose_model(
    model: Model | str | Path | None, stored: Mapping[str, Any], data: Dataset, settings: Settings
) -> Model:
    if model is None and "model" in stored:
        return model_from(stored["model"])
    chosen = model if isinstance(model, Model) else load_model(str(model or "letters"), data.shape, len(data.classes))
    return chosen.with_dropout(settings.dropout) if settings.dropout else chosen


def _check_same(stored: Mapping[str, Any], digest: str, name: str, model: Model) -> None:
    """Raise CheckpointError unless data and model are the ones the run was begun with."""
    if (was := _text(stored, "data", "digest")) != digest:
        raise CheckpointError(
            f"the run was begun with data {_text(stored, 'data', 'name')} (digest {str(was)[:12]}), "
            f"this is {name} ({digest[:12]}); resume with the same data, or begin a new run"
        )
    if stored.get("model") != model.describe():
        raise CheckpointError("the run was begun with another model; leave --model out, or begin a new run")


def _check_folder(folder: Path, identity: str) -> None:
    """Raise CheckpointError if checkpoints of the run cannot go to `folder`. What had to be made is removed again:
    whatever else is wrong, nothing is left behind.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    checkpoints.prepare(folder, identity)
    with suppress(OSError):  # someone else may have put something there meanwhile
        for path in made:
            path.rmdir()


def _folder(resume: Path | None, db: Path, identity: str) -> Path:
    """Return the folder of the checkpoints: where they were, or a new one beside the database."""
    if resume is not None:
        return resume if resume.is_dir() else resume.parent
    return db.parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{identity[:6]}"
