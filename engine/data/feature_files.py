"""Files of features: tables that become data sets, and rows that a trained network is asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.csv_features import CsvTable
from engine.data.dataset import Dataset
from engine.data.parquet_features import ParquetTable
from engine.data.reading import DAMAGED
from engine.data.rows import finite_float32, from_rows
from engine.data.tabular import Table, holds_pictures, rows_of
from engine.errors import DataError

READERS: dict[str, Callable[[Path], Table]] = {".csv": CsvTable, ".tsv": CsvTable, ".parquet": ParquetTable}


def load_features(path: Path, target: str | None, task: str | None) -> Dataset | None:
    """Return the data set of a table of features; None if the table names pictures and nothing was chosen."""
    table = READERS[path.suffix.lower()](path)
    if target is None and task is None and holds_pictures(table):
        return None
    try:
        return from_rows(path.stem, rows_of(table, target, task), task)
    except DataError as error:
        raise DataError(f"{path}: {str(error).removeprefix(f'{path.stem}: ')}") from None


def read_features(path: Path, count: int, columns: Sequence[str]) -> NDArray[np.float32]:
    """Return the rows of a .csv, .tsv, .parquet or .npy file as float32 [N, count].

    Of a table, the columns named `columns` are read, in that order; all columns if `columns` is empty. Raises
    DataError if one is missing, or holds anything but finite numbers.
    """
    ending = path.suffix.lower()
    try:
        if ending == ".npy":
            return _read_array(path, count, columns)
        if ending not in READERS:
            raise DataError(f"the network takes {count} features; .csv, .tsv, .parquet and .npy files of them are read")
        table = READERS[ending](path)
        names = list(columns or table.names)
        missing = [name for name in names if name not in table.names]
        if missing:
            raise DataError(f"no column {missing[0]!r}, which the network was trained with; it has {_listed(table)}")
        if twice := next((name for name in names if list(table.names).count(name) > 1), None):
            raise DataError(f"two columns are called {twice}; each needs a name of its own")
        if len(names) != count:
            raise DataError(f"{len(names)} columns, but the network takes {count} features")
        values = np.stack([table.numbers(name) for name in names], axis=1)
        return finite_float32(values, table.row, lambda number: f"column {names[number]}")
    except DataError as error:
        raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def _listed(table: Table) -> str:
    return ", ".join(table.names)


def _read_array(path: Path, count: int, columns: Sequence[str]) -> NDArray[np.float32]:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except DAMAGED as error:
        raise DataError(f"not a readable array ({error})") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError("it is an .npz archive, not one array")
    rows = array[None] if array.ndim == 1 else array
    if rows.ndim != 2 or rows.shape[1] != count or not len(rows):
        raise DataError(f"it holds {array.dtype} {list(array.shape)}; the network takes numbers [N, {count}]")
    return finite_float32(rows, "row {}".format, lambda number: f"column {columns[number] if columns else number}")
