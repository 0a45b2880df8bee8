"""Turns what was asked for into a sweep that can begin, or go on: its definition, its data and its models."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.errors import SettingsError, UsageError
from engine.nn.model import BUILT_IN, Model, load_model, model_from
from engine.nn.optimizers import OPTIMIZERS
from engine.records import SweepRow, check_idle, find_sweep
from engine.sweeps.samplers import DEFAULT_TRIALS, SAMPLERS, Grid, Random, Sampler
from engine.sweeps.space import MODEL, Choice, Parameters, Space, Value, ends, space_of, written
from engine.training.prepare import DEFAULT_DB, Run, checked_name, choose_settings, prepare, variant

Given = Mapping[str, Any]
DEFAULT_PRUNE_AFTER = 5
MOST_TRIALS = 1_000_000
OF_OPTIMIZERS = {f.name for kind in OPTIMIZERS.values() for f in fields(kind)}
# Snapshots of every parameter take more room than all the rest, and sweeps are many runs.
UNLESS_GIVEN = {"snapshot_first": 0, "snapshot_every": 0}
# What changes no trial, so that another sitting may have it otherwise.
PER_SITTING = (
    *("workers", "min_workers", "audit", "shared_memory", "bind", "key", "insecure", "checkpoint_every"),
    *("snapshot_first", "snapshot_every", "snapshot_layers", "statistics_every"),
)


@dataclass(frozen=True)
class Plan:
    """A sweep: `row` is all that its trials follow from; `number` is its own in the records, None if it is new.

    `base` has what all its runs have in common, and `models` are by name. `given` are the settings of this sitting.
    """

    row: SweepRow
    number: int | None
    base: Run
    given: Given
    space: Space
    models: dict[str, Model]

    def run(self, number: int, parameters: Parameters) -> Run:
        """Return the run of trial `number`: at its beginning, or where its newest checkpoint is."""
        chosen = {name: value for name, value in parameters.items() if name != MODEL}
        settings = choose_settings({**self.given, **chosen}, None)
        identity = uuid.uuid5(uuid.UUID(self.row.uuid), str(number)).hex
        label = str(parameters.get(MODEL, self.row.model))
        return variant(self.base, identity, settings, self.models[label], label, self.base.folder / f"trial-{number}")

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
                    choose_settings({**self.given, "optimizer": optimizer, name: value}, None)

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


def begun(
    over: Mapping[str, str | Sequence[Value]],
    model: Model | str | Path | None,
    data: object,
    trials: int | None,
    sampler: str | None,
    prune_after: int | None,
    db: Path | None,
    out: Path | None,
    name: str | None,
    given: Given,
) -> Plan:
    """Return a new sweep. Raises UsageError of the kind that says what does not fit."""
    text = written(over)
    first, text = _places(model, text)
    space = space_of(text)
    sampler, prune_after = sampler or "random", DEFAULT_PRUNE_AFTER if prune_after is None else prune_after
    _check(space, [*given, *([MODEL] if model else [])], sampler, prune_after)
    count = how_many(trials, sampler, space)
    name = checked_name(name)
    common = {**UNLESS_GIVEN, **given}
    settings = choose_settings(common, None)
    base = prepare(first, data, settings, db, out, None, None)
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
    )
    return Plan(row, None, base, common, space, models)


def _check(space: Space, given: Iterable[str], sampler: str, prune_after: int) -> None:
    """Raise SettingsError if a setting is given for all trials and to be swept over, or for what is out of range."""
    for option in given:
        if option in space:
            raise SettingsError(f"{option.replace('_', '-')} is given twice: for all trials, and to be swept over")
    if sampler not in SAMPLERS:
        raise SettingsError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r:.60}")
    if not 0 <= prune_after <= MOST_TRIALS:
        raise SettingsError(f"prune-after must be from 0 to {MOST_TRIALS}, got {prune_after}")


def continued(resume: str, data: object, trials: int | None, db: Path | None, given: Given) -> Plan:
    """Return the sweep of the database that `resume` means. Raises UsageError if something given would change it."""
    number, row = find_sweep(db or DEFAULT_DB, resume)
    check_idle(db or DEFAULT_DB, number)
    for name, value in given.items():
        if name not in PER_SITTING and row.settings.get(name) != value:
            raise SettingsError(f"{name.replace('_', '-')} is as it was when the sweep was begun: leave the option out")
    if row.data is None and data is None:
        raise SettingsError("the sweep was begun with data given in Python: give the same data to resume it")
    if row.data is not None and data is not None:
        raise SettingsError("data is as it was when the sweep was begun: leave the option out")
    settings = {**row.settings, **given}
    models = {label: model_from(description) for label, description in row.models.items()}
    source = data if row.data is None else row.data
    first, chosen = models[row.model], choose_settings(settings, None)
    base = prepare(first, source, chosen, db or DEFAULT_DB, Path(row.folder), None, None)
    if base.digest != row.data_digest:
        raise SettingsError(f"the data {base.data.name} is not what it was when the sweep was begun; begin a new one")
    space = space_of(row.over)
    count = how_many(row.trials if trials is None else trials, row.sampler, space)
    if count < row.trials:
        raise SettingsError(f"the sweep has {row.trials} trials; it can have more, not fewer: got {trials}")
    return Plan(
        replace(row, trials=count), number, replace(base, uuid=row.uuid, model_name=row.model), settings, space, models
    )


def how_many(trials: int | None, sampler: str, space: Space) -> int:
    """Return how many trials there are to be: of a grid at most, and by default, all; SettingsError if it is none."""
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise SettingsError(f"trials must be from 1 to {MOST_TRIALS}, got {trials}")
    if sampler != "grid":
        return trials or DEFAULT_TRIALS
    size = Grid(space).size
    if trials is None and size > MOST_TRIALS:
        raise SettingsError(f"the grid has {size} combinations; say how many of them to try, up to {MOST_TRIALS}")
    return min(trials or size, size)


def _places(model: Model | str | Path | None, over: dict[str, str]) -> tuple[Model | str, dict[str, str]]:
    """Return the first model, and `over`, with the full paths of files, for a sweep may go on in another folder."""
    if MODEL not in over:
        return model if isinstance(model, Model) else _place(str(model or "letters")), over
    names = [_place(name.strip()) for name in over[MODEL].split(",")]
    return names[0], {**over, MODEL: ",".join(names)}


def _place(model: str) -> str:
    return str(Path(model).absolute()) if model not in BUILT_IN and Path(model).is_file() else model


def _models(first: Model | str, space: Space, base: Run) -> dict[str, Model]:
    """Return the models of the trials by name, each without the dropout that a setting may add."""
    if isinstance(first, Model):
        return {base.model_name: first}
    chosen = space.get(MODEL)
    names = [str(name) for name in chosen.values] if isinstance(chosen, Choice) else [first]
    return {name: load_model(name, base.data.shape, len(base.data.classes)) for name in names}
