"""CSV files that name a picture and its label on each line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from engine.data.collection import Collection, Files, labelled
from engine.data.columns import Columns, find_columns, part_column
from engine.data.labels import of_texts
from engine.data.parts import in_parts, part_named
from engine.errors import DataError

_DELIMITERS = ",;\t|"


def read_csv(path: Path, chosen: Columns | None) -> Collection:
    """Read a CSV file whose first line names the columns; paths of pictures are relative to the file.

    Samples are in the order of the lines. A column `split` may say train, validation or test. Raises DataError with
    the line that is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, file, chosen)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a text in UTF-8 ({error.reason} at byte {error.start}); save it as such"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _read(path: Path, lines: Iterator[str], chosen: Columns | None) -> Collection:
    head = next(lines, "")
    delimiter = max(_DELIMITERS, key=head.count)
    names = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
    wanted = [*find_columns(names, chosen), part_column(names)]
    columns = [names.index(name) for name in wanted if name is not None]
    rows: list[list[str]] = []
    reader = csv.reader(lines, delimiter=delimiter)
    for row in reader:
        if not row:
            continue
        line = reader.line_num + 1
        if len(row) != len(names):
            raise DataError(f"line {line} has {len(row)} columns, the first line has {len(names)}")
        cells = [row[column].strip() for column in columns]
        empty = [wanted[number] for number, cell in enumerate(cells) if not cell]
        if empty:
            raise DataError(f"line {line} has no {empty[0]}")
        if len(cells) > 2:
            cells[2] = _part(cells[2], line)
        rows.append(cells)
    if not rows:
        raise DataError("no lines after the first, which names the columns")
    counts: tuple[int, ...] = (len(rows),)
    notes: list[str] = []
    if len(columns) > 2:
        order, counts, notes = in_parts([cells[2] for cells in rows])
        rows = [rows[number] for number in order]
    labels = of_texts([cells[1] for cells in rows])
    return labelled(path.stem, Files(path.parent, [cells[0] for cells in rows]), labels, counts, None, notes)


def _part(text: str, line: int) -> str:
    part = part_named(text)
    if part is None:
        raise DataError(f"line {line}: the part {text!r} is not train, validation or test")
    return part
