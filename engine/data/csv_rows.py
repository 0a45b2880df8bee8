"""CSV files of features: the first line names the columns, every other line is a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.labels import AnyArray
from engine.data.tabular import as_numbers, as_target, is_number
from engine.errors import DataError

_DELIMITERS = ",;\t|"


class CsvTable:
    """A CSV file with all its cells in memory. Raises DataError, with the line, if its lines differ in length."""

    def __init__(self, path: Path) -> None:
        with _faults_of(path), path.open(encoding="utf-8-sig", newline="") as file:
            head = next(file, "")
            delimiter = max(_DELIMITERS, key=head.count)
            self.names: Sequence[str] = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
            if not self.names:
                raise DataError("it is empty; the first line must name the columns")
            if len(self.names) > 1 and all(map(is_number, self.names)):
                raise DataError(f"the first line must name the columns, but holds numbers: {head.strip()!r:.60}")
            self._lines: list[int] = []
            self._cells: list[list[str]] = [[] for _ in self.names]
            self._read(csv.reader(file, delimiter=delimiter))

    def _read(self, reader: Iterator[list[str]]) -> None:
        for row in reader:
            if not row:
                continue
            line = reader.line_num + 1  # type: ignore[attr-defined]
            if len(row) != len(self.names):
                raise DataError(f"line {line} has {len(row)} columns, the first line has {len(self.names)}")
            self._lines.append(line)
            for cells, cell in zip(self._cells, row, strict=True):
                cells.append(cell.strip())
        if not self._lines:
            raise DataError("no lines after the first, which names the columns")

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


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """Let every fault in reading the file be a DataError that names it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a text in UTF-8 ({error.reason} at byte {error.start}); save it as such"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from None
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
