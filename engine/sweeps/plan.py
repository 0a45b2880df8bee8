"""Turns what was asked for into a sweep that can begin or be resumed: its definition, its data and its models."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.data.collection import Progress
from engine.data.read_options import ReadOptions
from engine.errors import SettingsError, UsageError
from engine.launch.launchers import text_for_each
from engine.nn.built_in import BUILT_IN, load_model
from engine.nn.model import Model, model_from
from engine.nn.optimizers import OPTIMIZERS
from engine.records import SweepRow, check_idle, find_sweep
from engine.settings.workers import WorkersSettings
from engine.sweeps import defaults
from engine.sweeps.samplers import SAMPLERS, Grid, Random, Sampler, size
from engine.sweeps.space import MODEL, Choice, Parameters, Space, Value, ends, space_of, written
from engine.system.cores import usable_cores
from engine.training.defaults import DEFAULT_DB
from engine.training.prepare import Request, checked_name, choose_settings, prepare, variant
from engine.training.run import Run
from engine.wire.address import places_to_listen

Given = Mapping[str, Any]
MOST_TRIALS = 1_000_000
MOST_AT_ONCE = 256
# New sweeps have an entry for it. Those without are older: then it was the default for every batch.
FORMER_MICROBATCH = {"microbatch": 16}
OF_OPTIMIZERS = {f.name for kind in OPTIMIZERS.values() for f in fields(kind)}
# What changes no trial, so that it may be given again when a sweep is resumed.
MAY_CHANGE = (
    *(f.name for f in fields(WorkersSettings) if f.name != "kernels"),
    *("checkpoint_every", "top_k"),
    *("snapshot_first", "snapshot_every", "snapshot_budget", "snapshot_layers", "statistics_every"),
)


@dataclass(frozen=True)
class Plan:
    """A sweep: `row` is all that its trials follow from; `number` is its own in the records, None if it is new.

    `base` has what all its runs have in common, `given` their common settings, and `models` are by name.
    """

    row: SweepRow
    number: int | None
    base: Run
    given: Given
    space: Space
    models: dict[str, Model]

    @property
    def at_once(self) -> int:
        """How many trials are carried out at a time."""
        return self.row.at_once or defaults.AT_ONCE

    def on_each(self) -> list[str | None]:
        """Return where the workers are for each of the trials that are carried out at a time; SettingsError if not."""
        count, settings = min(self.at_once, self.row.trials), self.base.settings
        return [*text_for_each(settings.on, count)] if settings.on and settings.placed else [settings.on] * count

    def run(self, number: int, parameters: Parameters) -> Run:
        """Return the run of trial `number`: at its beginning, or where its newest checkpoint is."""
        chosen = {name: value for name, value in parameters.items() if name != MODEL}
        settings = choose_settings({**self.given, **chosen})
        identity = uuid.uuid5(uuid.UUID(self.row.uuid), str(number)).hex
        label = str(parameters.get(MODEL, self.row.model))
        return variant(self.base, identity, settings, self.models[label], label, self.folder(number))

    def folder(self, number: int) -> Path:
        """Return the folder of the checkpoints of trial `number`."""
        return self.base.folder / f"trial-{number}"

    def check(self) -> None:
        """Raise UsageError if some trial could not be carried out, before anything is written.

        Every value is a setting by itself. What else has to be looked at is whether models fit the data and take
        dropout, and whether optimizers, whose numbers are float32, can have theirs.
        """
        rates = [{"dropout": value} for value in ends(self.space["dropout"])] if "dropout" in self.space else [{}]
        for label in self.models:
            for rate in rates:
                self.run(0, {MODEL: label, **rate})
        optimizers = ends(self.space["optimizer"]) if "optimizer" in self.space else (self.base.settings.optimizer,)
        for name in OF_OPTIMIZERS & self.space.keys():
            values = [float(value) for value in ends(self.space[name])]
            for optimizer in optimizers:
                for value in (min(values), max(values)):
                    choose_settings({**self.given, "optimizer": optimizer, name: value})

    def sampler(self) -> Sampler:
        """Return what suggests the parameters of the trials; UsageError if it takes a package that is not there."""
        match self.row.sampler:
            case "grid":
                return Grid(self.space)
            case "random":
                return Random(self.space, self.row.seed)
        try:
            from engine.sweeps.tpe import Tpe  # noqa: PLC0415 - an extra, and slow
        except ModuleNotFoundError as error:
            if error.name != "optuna":
                raise
            raise UsageError(
                "the sampler tpe needs Optuna: pip install 'gradsum[tpe]', or use --sampler random"
            ) from None
        return Tpe(self.space, self.row.seed, self.base.folder / "optuna.log")


@dataclass(frozen=True)
class SweepRequest:
    """A sweep as it was asked for; `run` has what all its trials share. None stands for what was not given."""

    run: Request
    over: Mapping[str, str | Sequence[Value]] | None = None
    trials: int | None = None
    sampler: str | None = None
    prune_after: int | None = None
    resume: str | None = None
    at_once: int | None = None


def begin_sweep(request: SweepRequest, progress: Progress | None = None) -> Plan:
    """Return a new sweep. Raises the GradsumError that says what does not fit."""
    given = request.run.settings
    first, text = _places(request.run.model, written(request.over or {}))
    space = space_of(text)
    sampler = request.sampler or defaults.SAMPLER
    prune_after = defaults.PRUNE_AFTER if request.prune_after is None else request.prune_after
    _check(space, [*given, *([MODEL] if request.run.model else [])], sampler, prune_after)
    at_once = _checked_at_once(request.at_once)
    count = how_many(request.trials, sampler, space)
    name = checked_name(request.run.name)
    common = {"microbatch": None, **defaults.SETTINGS, **given}
    settings = choose_settings(common)
    base = prepare(replace(request.run, model=first, name=None), settings, progress=progress)
    models = _models(first, space, base)
    row = SweepRow(
        uuid=base.uuid,
        name=name,
        over=text,
        sampler=sampler,
        trials=count,
        prune_after=prune_after,
        seed=settings.seed,
        settings=common,
        model=base.model_name,
        models={label: one.describe() for label, one in models.items()},
        data=base.source,
        data_digest=base.digest,
        folder=str(base.folder.absolute()),
        reading=base.reading.given(),
        at_once=at_once,
    )
    return _shared(Plan(row, None, base, common, space, models))


def _check(space: Space, given: Iterable[str], sampler: str, prune_after: int) -> None:
    """Raise SettingsError if a setting is given for all trials and to be swept over, or for what is out of range."""
    for option in given:
        if option in space:
            raise SettingsError(f"{option.replace('_', '-')} is given twice: for all trials, and to be swept over")
    if sampler not in SAMPLERS:
        raise SettingsError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r:.60}")
    if not 0 <= prune_after <= MOST_TRIALS:
        raise SettingsError(f"prune-after must be from 0 to {MOST_TRIALS}, got {prune_after}")


def _checked_at_once(given: int | None) -> int:
    at_once = defaults.AT_ONCE if given is None else given
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise SettingsError(f"at-once must be from 1 to {MOST_AT_ONCE}, got {at_once}")
    return at_once


def _shared(plan: Plan) -> Plan:
    """Return the plan with no more workers for each of several trials at a time than cores, unless they were given.

    SettingsError if they cannot all listen where workers on other machines are to join.
    """
    count, settings = plan.at_once, plan.base.settings
    if count == 1:
        return plan
    plan.on_each()
    places = places_to_listen(settings.bind) if settings.bind else []
    if places and places[0].port and len(places) < count:
        text = (
            f"at-once {count} takes as many ports: give --bind with port 0, or a range of ports as in tcp://*:5000-5099"
        )
        raise SettingsError(text)
    if plan.given.get("workers") is not None or settings.workers is None:
        return plan
    workers = min(settings.workers, max(1, usable_cores() // count))
    base = replace(plan.base, settings=replace(settings, workers=workers))
    return replace(plan, base=base, given={**plan.given, "workers": workers})


def resume_sweep(request: SweepRequest, resume: str, progress: Progress | None = None) -> Plan:
    """Return the sweep of the database that `resume` means. Raises UsageError if something given would change it."""
    run, db = request.run, request.run.db or DEFAULT_DB
    number, row = _find(request, resume, db)
    settings = {**FORMER_MICROBATCH, **row.settings, **run.settings}
    models = {label: model_from(description) for label, description in row.models.items()}
    source = run.data if row.data is None else row.data
    again = replace(
        run,
        model=models[row.model],
        data=source,
        db=db,
        out=Path(row.folder),
        name=None,
        settings={},
        reading=ReadOptions.of(row.reading),
    )
    base = prepare(again, choose_settings(settings), progress=progress)
    if base.digest != row.data_digest:
        raise SettingsError(f"the data {base.data.name} has changed since the sweep began; begin a new one")
    space = space_of(row.over)
    count = row.trials if request.trials is None else how_many(request.trials, row.sampler, space)
    if count < row.trials:
        raise SettingsError(
            f"the sweep has {row.trials} trials; a resumed one may have more, not fewer: got {request.trials}"
        )
    base = replace(base, uuid=row.uuid, model_name=row.model)
    return _shared(Plan(replace(row, trials=count), number, base, settings, space, models))


def _find(request: SweepRequest, resume: str, db: Path) -> tuple[int, SweepRow]:
    """Return number and row of the sweep to be resumed; SettingsError if something given would change it."""
    run = request.run
    kept = {name: getattr(request, name) for name in ("over", "sampler", "prune_after", "at_once")}
    for name, value in {**kept, "model": run.model, "out": run.out, "name": run.name}.items():
        if value is not None:
            raise _fixed(name)
    number, row = find_sweep(db, resume)
    check_idle(db, number)
    for name, value in run.settings.items():
        if name not in MAY_CHANGE and row.settings.get(name) != value:
            raise _fixed(name)
    for name, value in run.reading.given().items():
        if ReadOptions.of(row.reading).given().get(name) != value:
            raise _fixed(name)
    if row.data is None and run.data is None:
        raise SettingsError("the sweep began with data given in Python: give the same data to resume it")
    if row.data is not None and run.data is not None:
        raise _fixed("data")
    return number, row


def _fixed(name: str) -> SettingsError:
    return SettingsError(f"{name.replace('_', '-')} cannot change when a sweep is resumed; omit it")


def how_many(trials: int | None, sampler: str, space: Space) -> int:
    """Return how many trials there are to be, no more than combinations; SettingsError if it is none.

    By default that is all of a grid.
    """
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise SettingsError(f"trials must be from 1 to {MOST_TRIALS}, got {trials}")
    if sampler != "grid":
        there_are = size(space)  # more trials than that would repeat one another
        wanted = trials or defaults.TRIALS
        return wanted if there_are is None else min(wanted, there_are)
    combinations = Grid(space).size
    if trials is None and combinations > MOST_TRIALS:
        text = f"the grid has {combinations} combinations; say how many of them to try, up to {MOST_TRIALS}"
        raise SettingsError(text)
    return min(trials or combinations, combinations)


def _places(model: Model | str | Path | None, over: dict[str, str]) -> tuple[Model | str | None, dict[str, str]]:
    """Return the first model, if any was chosen, and `over`.

    Files are with their full paths, for a sweep may be resumed in another folder.
    """
    if MODEL not in over:
        return model if model is None or isinstance(model, Model) else _place(str(model)), over
    names = [_place(name.strip()) for name in over[MODEL].split(",")]
    return names[0], {**over, MODEL: ",".join(names)}


def _place(model: str) -> str:
    return str(Path(model).absolute()) if model not in BUILT_IN and Path(model).is_file() else model


def _models(first: Model | str | None, space: Space, base: Run) -> dict[str, Model]:
    """Return the models of the trials by name, each without the dropout that a setting may add."""
    if isinstance(first, Model):
        return {base.model_name: first}
    chosen = space.get(MODEL)
    names = [str(name) for name in chosen.values] if isinstance(chosen, Choice) else [base.model_name]
    return {name: load_model(name, base.data.shape, base.data.outputs, base.data.train.has_values) for name in names}
