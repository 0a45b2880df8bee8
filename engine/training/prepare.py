"""Turns what was asked for into a run that can begin: data, model, settings, places, and where to continue."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint, RunState
from engine.compute.evaluator import NO_AUGMENTATION
from engine.compute.tally import MAX_TALLIED
from engine.data import Dataset, Measure, cache_limit, load
from engine.data.augmentation import augmentation_of
from engine.data.cache import store
from engine.data.collection import Progress
from engine.data.read_options import ReadOptions
from engine.data.sources import full_path, is_there
from engine.errors import DataError, ModelError, SettingsError
from engine.kernels.environment import slow_allowed
from engine.nn.built_in import default_name, load_model
from engine.nn.frozen import frozen_layers
from engine.nn.loss_options import CROSS_ENTROPY
from engine.nn.model import Model, check_fits, model_from
from engine.nn.own.check import check_imported, check_own
from engine.nn.own.metrics import check_metrics
from engine.settings import Settings
from engine.training.class_weights import class_weights
from engine.training.reading import reading_of
from engine.training.resume import check_continued, check_rates, continued_settings
from engine.training.run import OWN, Run
from engine.training.snapshots import schedule_for
from engine.training.start import Start, read_start
from engine.training.storage import check_folder, database_for, folder_for

MAX_NAME = 200


@dataclass(frozen=True)
class Request:
    """A run as it was asked for; None and a missing setting stand for what was not given."""

    model: Model | str | Path | None = None
    data: object = None
    db: Path | None = None
    out: Path | None = None
    resume: Path | None = None
    name: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reading: ReadOptions = field(default_factory=ReadOptions)
    start: Path | None = None


def begin_or_resume(resume: Path | None, out: Path | None) -> tuple[Path | None, Path | None]:
    """Return what to resume from and where checkpoints go, for a job that is started again until it is done.

    That is `resume`, or if it holds no checkpoint yet, a run that begins there. SettingsError if it is not given, or
    `out` is another folder.
    """
    if resume is None:
        raise SettingsError("or-begin goes with --resume FOLDER: there the run begins if no checkpoint is there")
    if checkpoints.has_any(resume) or resume.is_file():
        return resume, out
    if out not in (None, resume):
        raise SettingsError(f"with or-begin the run begins in {resume}, where it is resumed; leave out --out {out}")
    return None, resume


def choose_settings(given: Mapping[str, Any], earlier: Checkpoint | None = None) -> Settings:
    """Return the settings: what was given, over those of the checkpoint that is continued, over the defaults.

    SettingsError also for variables of the environment that are only read later: not before much was done for nothing.
    """
    cache_limit.limit()
    slow_allowed()
    if earlier is None:
        settings = Settings.build(dict(given))
    else:
        check_rates(earlier.run)
        settings = continued_settings(earlier.run, given)
    settings = settings.resolved()
    settings.make_optimizer()
    return settings


def prepare(
    request: Request, settings: Settings, earlier: Checkpoint | None = None, progress: Progress | None = None
) -> Run:
    """Put a run together, with the settings chosen; what was not given has a default, or comes from `earlier`.

    `progress` is called while pictures are converted, as `load` does it.
    Raises the GradsumError that says what does not fit.
    """
    stored = earlier.run if earlier else RunState()
    called = checked_name(request.name) or stored.name
    reading = request.reading.over(reading_of(stored))
    start = _start_of(request)
    source, whole = _choose_data(request, earlier, reading, progress)
    dataset = whole.hold_out(settings.validation)
    settings = settings.planned(len(dataset.train))
    model = _choose_model(request.model, stored, dataset, settings, start)
    _check(model, dataset, settings)
    schedule_for(settings, model.layout())
    digest = store(whole)
    identity = stored.uuid or uuid.uuid4().hex
    db = database_for(request.db, stored.db)
    if earlier is not None:
        check_continued(earlier, digest, dataset.name, model, settings.last_step(len(dataset.train)), db)
    return Run(
        uuid=identity,
        settings=settings,
        model=model,
        model_name=stored.model_name or _name_of(request.model, dataset, start),
        data=dataset,
        source=source,
        digest=digest,
        normalisation=dataset.train.normalisation(),
        db=db,
        folder=_folder(request, db, identity),
        checkpoint=earlier,
        name=called,
        reading=reading,
        match=start.match(model.layout()) if start else None,
        values=dataset.train.target_normalisation(),
    )


def _folder(request: Request, db: Path, identity: str) -> Path:
    """Return the folder of the checkpoints; CheckpointError if they cannot go there."""
    folder = request.out or folder_for(request.resume, db, identity)
    check_folder(folder, identity)
    return folder


def variant(base: Run, identity: str, settings: Settings, model: Model, model_name: str, folder: Path) -> Run:
    """Return another run on the data of `base`, with the uuid `identity`; it continues what `folder` has of it.

    Raises the GradsumError that says what does not fit.
    """
    settings = settings.planned(len(base.data.train))
    chosen = model.with_dropout(settings.dropout) if settings.dropout else model
    _check(chosen, base.data, settings)
    schedule_for(settings, chosen.layout())
    check_folder(folder, identity)
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
    if not isinstance(name, str | None):
        raise SettingsError(f"name must be text, got {name!r:.60}")
    if name is not None and (not name.strip() or name.isdecimal() or len(name) > MAX_NAME or not name.isprintable()):
        raise SettingsError(
            f"name must be printable text, at most {MAX_NAME} characters, and not a number, got {name!r:.60}"
        )
    return name


def _choose_data(
    request: Request, earlier: Checkpoint | None, reading: ReadOptions, progress: Progress | None
) -> tuple[str | None, Dataset]:
    """Return the data and where it comes from, a path in full, so that resuming finds it from any folder."""
    data, stored = request.data, (earlier.run if earlier else RunState())
    if isinstance(data, Dataset):
        return None, load(data, **request.reading.given())
    if data is not None and not isinstance(data, str | Path):
        asked = replace(reading, target_column=request.reading.target_column)
        return None, load(data, **asked.given(), progress=progress)
    if data is None and earlier and stored.data.source is None:
        name = stored.data.name
        raise SettingsError(f"the run began with data given in Python ({name}): give the same data to resume it")
    source = full_path((stored.data.source or "letters") if data is None else str(data))
    if data is None and earlier and not is_there(source):
        raise DataError(
            f"the run began with the data in {source}, which is not there; give the same data with --data "
            f"(its digest is {(stored.data.digest or '')[:12]})"
        )
    return source, load(source, **reading.given(), progress=progress)


def _start_of(request: Request) -> Start | None:
    """Return the network whose parameters the run begins with, if one was asked for."""
    if request.start is None:
        return None
    if request.resume is not None:
        raise SettingsError(
            "--from begins a new run, --resume continues one with its own parameters: leave one of them out"
        )
    return read_start(request.start)


def _choose_model(
    model: Model | str | Path | None, stored: RunState, data: Dataset, settings: Settings, start: Start | None
) -> Model:
    if model is None and stored.model is not None:
        return model_from(stored.model)
    if model is None and start is not None:
        chosen = start.model_for(data)
    else:
        chosen = model if isinstance(model, Model) else _load(_name_of(model, data), data)
    return chosen.with_dropout(settings.dropout) if settings.dropout else chosen


def _load(name: str, data: Dataset) -> Model:
    return load_model(name, data.shape, data.outputs, data.train.has_values)


def _name_of(model: Model | str | Path | None, data: Dataset, start: Start | None = None) -> str:
    if model is None and start is not None:
        return start.model_name or OWN
    return OWN if isinstance(model, Model) else str(model or default_name(data.shape))


def _check(model: Model, data: Dataset, settings: Settings) -> None:
    """Raise the GradsumError that says why the model, or a setting, does not suit the data."""
    check_fits(model, data.shape, data.outputs, data.train.has_values)
    if not model.layout().size:
        raise ModelError("no layer of the model has parameters: there is nothing to train")
    check_imported(model)
    check_own(model)
    _check_classes(data)
    if not data.train.has_values and model.classes <= MAX_TALLIED:
        check_metrics(model.classes)
    if settings.augment and data.train.has_features:
        raise SettingsError(NO_AUGMENTATION)
    _check_shift(settings, data)
    class_weights(settings.class_weights, data, model.classes)
    frozen_layers(settings.freeze, model.layout())
    if settings.label_smoothing and model.loss != CROSS_ENTROPY:
        raise SettingsError(
            f"label-smoothing is for the loss {CROSS_ENTROPY}, the model has {model.loss}: leave it out"
        )
    if settings.target and settings.target > 1 and data.measure is Measure.R2:
        raise SettingsError(f"target must be an R², at most 1, where values are predicted, got {settings.target:g}")


def _check_classes(data: Dataset) -> None:
    """Raise DataError if all that is trained with is of one class."""
    targets = data.train.targets
    if not data.train.has_values and targets.min() == targets.max():
        all_, called = f"all {len(data.train)} {data.train.unit}", data.classes[int(targets[0])]
        raise DataError(f"{data.name}: {all_} that are trained with are of class {called}: there is nothing to learn")


def _check_shift(settings: Settings, data: Dataset) -> None:
    """Raise SettingsError if augmentation may move images out of sight."""
    how = augmentation_of(settings.augment)
    if how is not None and how.shift >= min(data.shape[:2]):
        size = "x".join(map(str, data.shape[:2]))
        raise SettingsError(f"augment: shift must be below the rows and columns of the images, {size}, got {how.shift}")
