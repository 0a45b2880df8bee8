"""Tables whose columns are features: which column is the target, and how cells become numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data.columns import image_columns, label_columns, part_column
from engine.data.labels import AnyArray, of_texts
from engine.data.parts import in_parts, part_named
from engine.data.rows import CLASSIFICATION, REGRESSION, Rows, check_task
from engine.errors import DataError

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?")


class Table(Protocol):
    """A table: the names of its columns, and its cells, column by column."""

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the columns, in order."""

    def is_number(self, name: str) -> bool:
        """Tell whether a column seems to hold numbers, by its type or its first cell."""

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers [N]; DataError for a cell that is none, with its row."""

    def target(self, name: str, task: str | None) -> AnyArray:
        """Return a column as whole numbers, floats or words [N]; DataError for a cell that does not suit `task`."""

    def texts(self, name: str) -> list[str]:
        """Return the cells of a column as they are."""

    def row(self, number: int) -> str:
        """Return which row a number, from 0, means to a person."""


def holds_pictures(table: Table) -> bool:
    """Tell whether a table names pictures rather than holding features; so does one without any number."""
    if not any(map(table.is_number, table.names)) or not all(map(table.is_number, image_columns(table.names))):
        return True
    if len(table.names) != 2 or not label_columns(table.names):
        return False
    return any(not table.is_number(name) for name in table.names if name not in label_columns(table.names))


def rows_of(table: Table, target: str | None, task: str | None) -> Rows:
    """Return the rows of a table: `target` is the column to be said, all others are features.

    Without it that is the one that is called label, target or the like, or else the last. A column `split` may say
    train, validation or test. DataError if a column is missing or a cell is not what it has to be.
    """
    check_task(task)
    names = list(table.names)
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise DataError(f"two columns are called {doubled!r}; each needs a name of its own")
    notes = []
    if names and not names[0] and len(names) > 1:
        names = names[1:]
        notes.append("the first column has no name and is left out: it most likely numbers the rows")
    split = part_column(names)
    if split is not None and (split == target or table.is_number(split)):
        split = None
    chosen, why = _target([name for name in names if name != split], target)
    notes.append(f"target: column {chosen}{why}")
    columns = tuple(name for name in names if name not in (chosen, split))
    asked = table.target(chosen, task)
    features = np.empty((len(asked), len(columns)), np.float64)
    for number, name in enumerate(columns):
        features[:, number] = table.numbers(name)
    if split is None:
        return Rows(features, asked, (len(asked),), columns, (chosen,), tuple(notes), table.row)
    order, counts, more = in_parts([part_of(text, table.row(n)) for n, text in enumerate(table.texts(split))])
    notes += [f"parts: column {split}", *more]

    def row(number: int) -> str:
        return table.row(int(order[number]))

    return Rows(features[order], asked[order], counts, columns, (chosen,), tuple(notes), row)


def part_of(text: str, row: str) -> str:
    """Return the part that a cell names; DataError if it is none."""
    part = part_named(text)
    if part is None:
        raise DataError(f"{row}: the part {text!r} is not train, validation or test")
    return part


def _target(names: Sequence[str], chosen: str | None) -> tuple[str, str]:
    """Return the name of the target, and why it is that."""
    if chosen is not None:
        if chosen not in names:
            raise DataError(f"no column {chosen!r} to be the target; there are {', '.join(names)}")
        return chosen, ""
    usual = label_columns(names)
    if len(usual) > 1:
        raise DataError(f"unclear which of {', '.join(usual)} is the target; choose one with target-column")
    if usual:
        return usual[0], ", by its name"
    if not names:
        raise DataError("no columns")
    return names[-1], ", the last one; choose another with target-column"


def as_numbers(
    cells: Sequence[str], name: str, row: Callable[[int], str], what: str = "features"
) -> NDArray[np.float64]:
    """Return cells as numbers [N]; DataError for the first that is none. `what` they are, for the message."""
    for number, cell in enumerate(cells):
        if not _NUMBER.fullmatch(cell):
            raise DataError(f"{row(number)}, column {name} {_what(cell, what)}")
    return np.array([float(cell) for cell in cells], np.float64)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number."""
    return bool(_NUMBER.fullmatch(cell))


def as_target(cells: Sequence[str], name: str, task: str | None, row: Callable[[int], str]) -> AnyArray:
    """Return cells as whole numbers if all are, as floats if all are numbers, or else as words.

    DataError for one that is empty, or for a word among floats.
    """
    empty = next((number for number, cell in enumerate(cells) if cell.lower() in _MISSING), None)
    if empty is not None:
        raise DataError(f"{row(empty)}, column {name} {_what(cells[empty], 'targets')}")
    if task == REGRESSION:
        return as_numbers(cells, name, row, "values to be predicted")
    labels = of_texts(cells)
    numeric = [bool(_NUMBER.fullmatch(cell)) for cell in cells]
    if labels.dtype.kind != "U" or task == CLASSIFICATION or not any(numeric):
        return labels
    if all(re.fullmatch("[-+]?[0-9]+", cell) for cell in cells):  # 007, or more digits than an integer has
        return labels
    if all(numeric):
        return as_numbers(cells, name, row, "values to be predicted")
    if any(number and not re.fullmatch("-?[0-9]+", cell) for number, cell in zip(numeric, cells, strict=True)):
        return as_numbers(cells, name, row, "values to be predicted")  # which says where the word is
    return labels


def _what(cell: str, what: str) -> str:
    if cell.lower() in _MISSING:
        return f"is missing ({cell!r}); fill it, or leave the row out"
    hint = "; decimals need a point" if re.fullmatch("-?[0-9]+,[0-9]+", cell) else ""
    advice = ": leave the column out, or code it as some" if what == "features" else ""
    return f"is {cell!r:.60}, not a number{hint}; all {what} are numbers{advice}"
