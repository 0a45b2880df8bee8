"""CSV files of features: the first line names the columns, every other line is a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.csv_lines import open_csv
from engine.data.labels import AnyArray
from engine.data.tabular import as_numbers, as_target, is_number
from engine.errors import DataError


class CsvTable:
    """A CSV file with all its cells in memory. Raises DataError, with the line, if its lines differ in length."""

    def __init__(self, path: Path) -> None:
        with open_csv(path) as lines:
            self.names: Sequence[str] = lines.names
            if not self.names:
                raise DataError("it is empty; the first line must name the columns")
            if len(self.names) > 1 and all(map(is_number, self.names)):
                raise DataError(f"the first line must name the columns, but holds numbers: {lines.head.strip()!r:.60}")
            self._lines: list[int] = []
            self._cells: list[list[str]] = [[] for _ in self.names]
            for line, row in lines:
                self._lines.append(line)
                for cells, cell in zip(self._cells, row, strict=True):
                    cells.append(cell)

    def is_number(self, name: str) -> bool:
        """Tell whether the first cell of a column is a number."""
        return is_number(self.texts(name)[0])

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers [N]."""
        return as_numbers(self.texts(name), name, self.row)

    def target(self, name: str, task: str | None) -> AnyArray:
        """Return a column as whole numbers, floats or words [N]."""
        return as_target(self.texts(name), name, task, self.row)

    def texts(self, name: str) -> list[str]:
        """Return the cells of a column."""
        return self._cells[self.names.index(name)]

    def row(self, number: int) -> str:
        """Return the line of a row."""
        return f"line {self._lines[number]}"
