"""CSV files that name a picture and its label on each line."""

from __future__ import annotations

from pathlib import Path

from engine.data.collection import Collection, Files, labelled
from engine.data.columns import Columns, find_columns, part_column
from engine.data.csv_lines import CsvLines, open_csv
from engine.data.labels import of_texts
from engine.data.parts import in_parts
from engine.data.tabular import part_of
from engine.errors import DataError


def read_csv(path: Path, chosen: Columns | None) -> Collection:
    """Read a CSV file whose first line names the columns; paths of pictures are relative to the file.

    Samples are in the order of the lines. A column `split` may say train, validation or test. Raises DataError with
    the line that is wrong.
    """
    with open_csv(path) as lines:
        return _read(path, lines, chosen)


def _read(path: Path, lines: CsvLines, chosen: Columns | None) -> Collection:
    wanted = [*find_columns(lines.names, chosen), part_column(lines.names)]
    columns = [lines.names.index(name) for name in wanted if name is not None]
    rows: list[list[str]] = []
    for line, row in lines:
        cells = [row[column] for column in columns]
        empty = [wanted[number] for number, cell in enumerate(cells) if not cell]
        if empty:
            raise DataError(f"line {line} has no {empty[0]}")
        if len(cells) > 2:
            cells[2] = part_of(cells[2], f"line {line}")
        rows.append(cells)
    counts: tuple[int, ...] = (len(rows),)
    notes: list[str] = []
    if len(columns) > 2:
        order, counts, notes = in_parts([cells[2] for cells in rows])
        rows = [rows[number] for number in order]
    labels = of_texts([cells[1] for cells in rows])
    return labelled(path.stem, Files(path.parent, [cells[0] for cells in rows]), labels, counts, None, notes)
