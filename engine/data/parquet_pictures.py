"""Parquet files of pictures, as Hugging Face publishes them: image {bytes, path}, and label."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.data.collection import Collection, labelled
from engine.data.columns import Columns, find_columns
from engine.data.labels import AnyArray, flat_labels
from engine.data.parts import in_parts, part_named
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.picture import Encoded

_ROWS = 32  # read at a time: their bytes are in memory
_BUFFER = 1 << 20  # bytes


def parquet_files(folder: Path) -> list[Path]:
    """Return the parquet files in a folder, or in its folder `data`, as data sets are downloaded; none is fine."""
    return sorted(folder.glob("*.parquet")) or sorted((folder / "data").glob("*.parquet"))


def read_parquet(files: Sequence[Path], name: str, chosen: Columns | None) -> Collection:
    """Read parquet files; their names may say which part they are, such as train-00000-of-00002.parquet.

    Samples are in the order of the files' names and rows. Raises DataError if pyarrow is missing, or a file does not
    hold pictures and labels.
    """
    try:
        import pyarrow  # noqa: F401, PLC0415  an extra
    except ImportError:
        raise DataError(f"{files[0]}: parquet files need pyarrow: pip install 'gradsum[data]'") from None
    kinds = [_kind(file) for file in files]
    if len(files) > 1 and any(kinds):
        unclear = [file.name for file, kind in zip(files, kinds, strict=True) if kind is None]
        if unclear:
            raise DataError(f"{files[0].parent}: unclear which part {unclear[0]} is; names begin with train, test ...")
        order, of_parts, notes = in_parts([kind or "" for kind in kinds])
        files = [files[number] for number in order]
    else:
        of_parts, notes = (len(files),), []
    tables = [_Table(file, chosen) for file in files]
    labels = [flat_labels(table.labels(), f"{table.path}: labels") for table in tables]
    pictures = _Rows(tables, [len(some) for some in labels])
    try:
        ends = np.cumsum(of_parts)
        counts = [sum(map(len, labels[end - files : end])) for files, end in zip(of_parts, ends, strict=True)]
        if not all(counts):
            raise DataError("a part has no rows; remove its files, or fill them")
        return labelled(name, pictures, np.concatenate(labels), counts, tables[0].class_names(), notes)
    except DataError as error:
        raise DataError(f"{files[0]}: {error}") from None


def _kind(file: Path) -> str | None:
    return part_named(re.split(r"[-._]", file.name)[0])


class _Table:
    """One file, its columns found."""

    def __init__(self, path: Path, chosen: Columns | None) -> None:
        from pyarrow import ArrowException, types  # noqa: PLC0415  an extra
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415  an extra

        self.path = path
        self.broken = (ArrowException, OSError)
        try:
            self._file: Any = ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
            schema = self._file.schema_arrow
            self.image, self._label = find_columns(schema.names, chosen)
            self.names_files = types.is_string(schema.field(self.image).type)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        except self.broken as error:
            raise self._damaged(error) from None

    def labels(self) -> AnyArray:
        """Return the column of labels."""
        try:
            column = self._file.read([self._label]).column(0)
        except self.broken as error:
            raise self._damaged(error) from None
        if column.null_count:
            raise DataError(f"{self.path}: {column.null_count} rows have no {self._label}; fill or remove them")
        found: AnyArray = np.asarray(column.to_pylist())
        return found

    def class_names(self) -> list[str] | None:
        """Return what Hugging Face's metadata says that the labels mean, if it does."""
        stored = (self._file.schema_arrow.metadata or {}).get(b"huggingface", b"null")
        try:
            names = json.loads(stored)["info"]["features"][self._label]["names"]
            return [str(name) for name in names]
        except (ValueError, LookupError, TypeError):
            return None

    def pictures(self) -> Iterator[Encoded]:
        """Yield the pictures of all rows."""
        try:
            for batch in self._file.iter_batches(_ROWS, columns=[self.image]):
                for cell in batch.column(0):
                    yield self._picture(cell.as_py())
        except self.broken as error:
            raise self._damaged(error) from None

    def _picture(self, cell: object) -> Encoded:
        """Return the content of a picture, or else the path of its file, relative to the table's folder."""
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, str):
            return str(self.path.parent / cell)
        if isinstance(cell, bytes):
            return cell
        if cell is None:
            return b""  # which will be listed among the pictures that cannot be read
        raise DataError(f"{self.path}: the column {self.image} holds {type(cell).__name__}, not pictures")

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: not a readable parquet file ({error})")


class _Rows:
    """The pictures of several tables, one after the other."""

    def __init__(self, tables: list[_Table], counts: list[int]) -> None:
        self._tables = tables
        self._starts = np.cumsum([0, *counts])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def name(self, number: int) -> str:
        """Return the table and the row, counted from 0."""
        table = int(np.searchsorted(self._starts, number, side="right")) - 1
        return f"{self._tables[table].path} row {number - self._starts[table]}"

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Encoded]:
        """Yield the pictures with these numbers."""
        wanted = np.zeros(len(self), np.bool_)
        wanted[numbers] = True
        for table, start, end in zip(self._tables, self._starts, self._starts[1:], strict=False):
            if wanted[start:end].any():
                chosen = zip(table.pictures(), wanted[start:end], strict=True)
                yield from (picture for picture, is_wanted in chosen if is_wanted)

    def state(self) -> Iterator[str] | None:
        """Return path, column, size and time of change of each file; None if they name pictures in other files."""
        return None if any(table.names_files for table in self._tables) else self._states()

    def _states(self) -> Iterator[str]:
        for table in self._tables:
            status = table.path.stat()
            yield f"{table.path}\0{table.image}\0{status.st_size}\0{status.st_mtime_ns}"
