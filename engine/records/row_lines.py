"""Rows as lines of JSON, compressed: how they wait in memory and in a file."""

import gzip
import json
from collections.abc import Iterable, Sequence

from engine.records.batch import CHANGE, Row
from engine.records.schema import COLUMNS
from engine.records.statements import STATEMENTS, plain

# How many values a row has, that of the run included. Nothing that is read becomes a part of a statement.
_WIDTHS = {table: sql.partition(" ON CONFLICT ")[0].count("?") for table, sql in STATEMENTS.items()}


def packed(rows: Iterable[Row]) -> bytes:
    """Return a line for each row, [table, values], compressed with gzip; several such are one file."""
    lines = (json.dumps([table, _plain(values)]) for table, values in rows)
    return gzip.compress("".join(line + "\n" for line in lines).encode(), compresslevel=1)


def _plain(values: Sequence[object]) -> list[object]:
    return [
        dict(zip(value, plain(value.values()), strict=True)) if isinstance(value, dict) else value
        for value in plain(values)
    ]


def unpacked(content: bytes) -> list[Row]:
    """Return the rows in what `packed` returned, one or more of it. ValueError for anything else."""
    return [row_from(line) for line in gzip.decompress(content).splitlines()]


def row_from(line: bytes) -> Row:
    """Return the row in a line; ValueError if there is none."""
    found = json.loads(line)
    match found:
        case [str(table), [_, dict(values)]] if table == CHANGE and values.keys() <= COLUMNS[CHANGE].keys():
            return Row(table, found[1])
        case [str(table), [*values]] if len(values) == _WIDTHS.get(table):
            return Row(table, values)
    raise ValueError(f"{line!r:.60} is not a row")
