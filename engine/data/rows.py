"""Rows of features with what is to be said of each, from whatever holds them, as a data set.

What is to be said is a class where targets are whole numbers or words, and a value, or several, where they are floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, made_of
from engine.data.held_out import hold_out, said
from engine.data.labels import AnyArray, flat_labels, numbered
from engine.data.parts import part_names
from engine.data.split import Split, Targets
from engine.errors import DataError

CLASSIFICATION, REGRESSION = TASKS = ("classification", "regression")


@dataclass(frozen=True)
class Rows:
    """N rows in the order of their parts, `counts` of each as in `part_names`; of a single one some are held out.

    `features` are numbers [N, D] and `targets` [N] or [N, T], as they were found; `row` says which row a number means
    to a person.
    """

    features: AnyArray
    targets: AnyArray
    counts: tuple[int, ...]
    columns: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    row: Callable[[int], str] = "row {}".format

    def column(self, number: int) -> str:
        """Return what a person calls a feature."""
        return f"column {self.columns[number]}" if self.columns else f"column {number}"


def check_task(task: str | None) -> None:
    """Raise DataError unless the task is one of TASKS, or None."""
    if task is not None and task not in TASKS:
        raise DataError(f"task must be {' or '.join(TASKS)}, not {task!r:.60}")


def from_rows(name: str, rows: Rows, task: str | None = None, classes: Sequence[str] | None = None) -> Dataset:
    """Return the data set of rows; `task`, one of TASKS, says what targets are where their type does not.

    Raises DataError if a feature is no finite number, with its row and column, or if targets do not suit the task.
    """
    check_task(task)
    if rows.features.ndim != 2 or rows.features.shape[1] == 0:
        raise DataError(f"{name}: there are no features: at least one column besides the target is needed")
    if len(rows.features) != len(rows.targets):
        raise DataError(f"{name}: {len(rows.features)} rows but {len(rows.targets)} targets: they must be as many")
    features = finite_float32(rows.features, rows.row, rows.column)
    chosen = task or (REGRESSION if rows.targets.dtype.kind == "f" else CLASSIFICATION)
    if chosen == CLASSIFICATION:
        return _classification(name, rows, features, classes, task)
    if classes is not None:
        raise DataError(f"{name}: classes are for classification, but the targets are floats")
    return _regression(name, rows, features, task)


def finite_float32(values: AnyArray, row: Callable[[int], str], column: Callable[[int], str]) -> NDArray[np.float32]:
    """Return numbers [N, D] as float32; DataError for the first that is missing or not finite, with its place."""
    if values.dtype.kind not in "biuf":
        raise DataError(f"features are {values.dtype}; they must be numbers")
    with np.errstate(over="ignore"):
        rounded = np.ascontiguousarray(values, np.float32)
    good = np.isfinite(rounded)
    if not good.all():
        at, which = (int(place[0]) for place in np.nonzero(~good))
        raise DataError(
            f"{row(at)}, {column(which)} is {values[at, which]}: it must be a finite number below 3.4e38; fill it, or "
            "leave the row or the column out"
        )
    return rounded


def _classification(
    name: str, rows: Rows, features: NDArray[np.float32], classes: Sequence[str] | None, task: str | None
) -> Dataset:
    targets = flat_labels(rows.targets, "targets")
    names, labels, notes = numbered(np.split(targets, np.cumsum(rows.counts)[:-1]), classes)
    if len(names) == 1:
        raise DataError(f"{name}: {_target(rows)} is {names[0]} in every row: there is nothing to learn")
    what = "words" if targets.dtype.kind == "U" else "whole numbers"
    why = "as was chosen" if task else f"because {_target(rows)} holds {what}"
    hint = f"; task {REGRESSION} predicts them as values" if what == "whole numbers" and not task else ""
    said = f"{CLASSIFICATION} into {len(names):,} classes from {features.shape[1]} features, {why}{hint}"
    parts, held = _parts(features, labels)
    return _made(name, names, parts, rows, (said, *held, *notes))


def _regression(name: str, rows: Rows, features: NDArray[np.float32], task: str | None) -> Dataset:
    targets = rows.targets if rows.targets.ndim > 1 else rows.targets[:, None]
    if targets.dtype.kind not in "biuf":
        raise DataError(f"{name}: {_target(rows)} holds words, which cannot be predicted as values")
    names = rows.target_names
    values = finite_float32(targets, rows.row, lambda number: f"target {names[number] if names else number}")
    why = "as was chosen" if task else f"because {_target(rows)} holds floats"
    many = "" if values.shape[1] == 1 else f" of {values.shape[1]} values"
    said = f"{REGRESSION}{many} from {features.shape[1]} features, {why}"
    parts, held = _parts(features, np.split(values, np.cumsum(rows.counts)[:-1]))
    return _made(name, (), parts, rows, (said, *held))


def _target(rows: Rows) -> str:
    return f"the target {rows.target_names[0]}" if len(rows.target_names) == 1 else "the target"


def _parts(features: NDArray[np.float32], targets: Sequence[Targets]) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the parts by name, and a note if the test part was held out; features follow each other as targets do."""
    if len(targets) > 1:
        names, ends = part_names(len(targets)), np.cumsum([len(part) for part in targets])
        cuts = np.split(features[: ends[-1]], ends[:-1])
        return {name: Split(some, asked) for name, some, asked in zip(names, cuts, targets, strict=True)}, ()
    [only] = targets
    if len(only) < 2:
        raise DataError("a single row cannot be cut into a training and a test part")
    is_label = only.dtype == np.int32
    labels = only.view(np.int32) if is_label else None
    held = hold_out(np.zeros(len(only), np.int32) if labels is None else labels)
    parts = {"train": Split(features[~held], only[~held]), "test": Split(features[held], only[held])}
    return parts, (said(held, labels),)


def _made(name: str, classes: tuple[str, ...], parts: dict[str, Split], rows: Rows, notes: tuple[str, ...]) -> Dataset:
    all_notes = (*rows.notes, *notes)
    return made_of(name, classes, parts, notes=all_notes, columns=rows.columns, targets=rows.target_names)
