"""The lines of a CSV file: the first names the columns, every other one is a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError

_DELIMITERS = ",;\t|"


class CsvLines:
    """Names of columns, and an iterator over the rows: for each the number of its line, and its cells.

    The delimiter is found from the first line. Empty lines are skipped. DataError if a line has more or fewer cells
    than the first one, or if there are no rows.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self.head = next(lines, "")
        delimiter = max(_DELIMITERS, key=self.head.count)
        self.names = [name.strip() for name in next(csv.reader([self.head], delimiter=delimiter), [])]
        self._reader = csv.reader(lines, delimiter=delimiter)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        line = None
        for row in self._reader:
            if not row:
                continue
            line = self._reader.line_num + 1
            if len(row) != len(self.names):
                raise DataError(f"line {line} has {len(row)} columns, the first line has {len(self.names)}")
            yield line, [cell.strip() for cell in row]
        if line is None:
            raise DataError("no lines after the first, which names the columns")


@contextmanager
def open_csv(path: Path) -> Iterator[CsvLines]:
    """Open a CSV file. Every fault in reading it, and every DataError meanwhile, is a DataError that names the file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield CsvLines(file)
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
