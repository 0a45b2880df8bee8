"""Parquet files of features: one column each, of numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.labels import AnyArray, flat_labels
from engine.data.rows import CLASSIFICATION, REGRESSION
from engine.errors import DataError


def _index_of_pandas(metadata: Mapping[bytes, bytes]) -> set[str]:
    """Return the columns that hold the index of a data frame: it numbers rows, and is not a feature."""
    try:
        found = json.loads(metadata.get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return set()
    return {name for name in found if isinstance(name, str) and re.fullmatch(r"__index_level_\d+__", name)}


class ParquetTable:
    """A parquet file; its cells are read when they are first asked for.

    Raises DataError if pyarrow is missing or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import ArrowException, parquet, types  # noqa: PLC0415  an extra
        except ImportError:
            raise DataError(f"{path}: parquet files need pyarrow: pip install 'gradsum[data]'") from None
        self._types: Any = types
        try:
            schema = parquet.read_schema(path)
            index = _index_of_pandas(schema.metadata or {})
            self.names: Sequence[str] = [name for name in schema.names if name not in index]
            self._kinds: dict[str, Any] = {field.name: field.type for field in schema}
        except FileNotFoundError:
            raise DataError(f"there is no file {path}") from None
        except (ArrowException, OSError) as error:
            raise DataError(f"{path}: not a readable parquet file ({error})") from None
        self._path = path
        self._broken = (ArrowException, OSError)

    @cached_property
    def _table(self) -> Any:
        """The columns of numbers and of text: what is neither may be pictures, which would fill the memory."""
        from pyarrow import parquet  # noqa: PLC0415  an extra

        wanted = [name for name in self.names if self.is_number(name) or self._is_text(name)]
        try:
            table = parquet.read_table(self._path, columns=wanted)
        except self._broken as error:
            raise DataError(f"{self._path}: not a readable parquet file ({error})") from None
        if not table.num_rows:
            raise DataError("no rows")
        return table

    def is_number(self, name: str) -> bool:
        """Tell whether a column is of numbers."""
        kind, t = self._kinds[name], self._types
        return any(is_kind(kind) for is_kind in (t.is_integer, t.is_floating, t.is_boolean, t.is_decimal))

    def _is_text(self, name: str) -> bool:
        kind, t = self._kinds[name], self._types
        return any(is_kind(kind) for is_kind in (t.is_string, t.is_large_string, t.is_dictionary))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers [N]."""
        if not self.is_number(name):
            raise DataError(
                f"column {name} is of type {self._kinds[name]}, not of numbers: leave the column out, or code it as "
                "numbers"
            )
        column = self._column(name).cast("float64", safe=False)  # whole numbers are rounded, as in a CSV file
        values: NDArray[np.float64] = column.to_numpy()
        return values

    def target(self, name: str, task: str | None) -> AnyArray:
        """Return a column as whole numbers, floats or words [N]."""
        if self.is_number(name):
            whole = self._types.is_integer(self._kinds[name]) or self._types.is_boolean(self._kinds[name])
            if task == REGRESSION or not whole:
                values = self.numbers(name)
                return flat_labels(values, f"column {name}") if task == CLASSIFICATION else values
        elif task == REGRESSION:
            return self.numbers(name)
        return flat_labels(self._column(name).to_pylist(), f"column {name}")

    def texts(self, name: str) -> list[str]:
        """Return the cells of a column as text."""
        return [str(cell) for cell in self._column(name).to_pylist()]

    def row(self, number: int) -> str:
        """Return which row it is, counted from 0."""
        return f"row {number}"

    def _column(self, name: str) -> Any:
        """Return a column without missing cells; DataError names the first."""
        if name not in self._table.column_names:
            raise DataError(f"column {name} is of type {self._kinds[name]}, neither numbers nor text")
        column = self._table.column(name)
        if column.null_count:
            first = int(np.flatnonzero(column.is_null().to_numpy())[0])
            raise DataError(f"{self.row(first)}, column {name} is missing; fill it, or leave the row out")
        return column
