"""The file beside the checkpoints with the rows that the database could not take, until it can."""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.errors import RecordsError
from engine.records.batch import Row
from engine.records.row_lines import row_from
from engine.system.files import make_folder, remove_stale, write_atomically

NAME = "unwritten.jsonl.gz"
FORMAT = 1


def save(folder: Path, uuid: str, content: Iterable[bytes]) -> None:
    """Replace the file in `folder` by one with `content`, what `packed` returned, of the run `uuid`.

    Returns when it is on disk. Raises OSError, and then the one before is still there.
    """
    make_folder(folder)
    remove_stale(folder, lambda name: name == NAME)
    header = json.dumps({"gradsum": "rows", "format": FORMAT, "run": uuid}) + "\n"
    write_atomically(folder / NAME, [gzip.compress(header.encode()), *content])


def remove(folder: Path) -> None:
    """Remove the file, if there is one."""
    (folder / NAME).unlink(missing_ok=True)


def read(folder: Path, uuid: str) -> Iterator[Row]:
    """Yield the rows of the file in `folder`, none if there is no file, or it is of another run than `uuid`.

    Raises RecordsError where it cannot be read, or is damaged.
    """
    path = folder / NAME
    try:
        if not os.path.exists(path):  # noqa: PTH110 - False for a closed folder, too
            return
        with gzip.open(path) as file:
            header = json.loads(file.readline())
            if header["gradsum"] != "rows" or header["format"] != FORMAT:
                raise ValueError(f"format {header['format']!r:.20}")
            if header["run"] == uuid:
                yield from map(row_from, file)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise RecordsError(f"{path} cannot be read ({error}): the rows in it are missing") from error
