"""Which IDX files of which data sets lie in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from engine.errors import DataError

STANDARD_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
Files = dict[tuple[str, str], Path]
_FILE = re.compile(r"(?P<prefix>.*-)?(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?")
_WANTED = [(part, kind) for part in ("train", "test") for kind in ("images", "labels")]


def sets_in(path: Path) -> dict[str, Files]:
    """Return, for each prefix of names in the folder ("" is the usual one), the path of each (part, kind).

    A plain file comes before a gzipped one, and before one in a folder of its own, as archives unpack on some systems.
    Raises DataError if the folder cannot be read.
    """
    try:
        files = sorted(_candidates(path), key=lambda file: (file.parent != path, file.suffix == ".gz", file.name))
    except FileNotFoundError:
        raise DataError(f"{path}: no such folder") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    found: dict[str, Files] = {}
    for file in files:
        if match := _FILE.fullmatch(file.name):
            part = "train" if match["part"] == "train" else "test"
            found.setdefault(match["prefix"] or "", {}).setdefault((part, match["kind"]), file)
    return found


def choose(path: Path, sets: dict[str, Files], name: str) -> str:
    """Return the prefix of the set called `name` in the folder, or of the only one; DataError if it is not clear."""
    if f"{name}-" in sets:
        return f"{name}-"
    if "" in sets or not sets:
        return ""
    if len(sets) > 1:
        names = [prefix[:-1] for prefix in sets]
        raise DataError(f"{path}: holds several data sets, {', '.join(names)}; choose one: {path / names[0]}")
    return next(iter(sets))


def files_of(path: Path, sets: dict[str, Files], prefix: str) -> Files:
    """Return the four files of a set in the folder; DataError names those that are missing."""
    files = sets.get(prefix, {})
    missing = [prefix + standard for key, standard in zip(_WANTED, STANDARD_NAMES, strict=True) if key not in files]
    if missing:
        missing = [name.replace("t10k", "test") for name in missing] if prefix else missing
        raise DataError(f"{path}: lacks {', '.join(missing)} (each may end in .gz); put them there")
    return files


def _candidates(path: Path) -> Iterator[Path]:
    for entry in path.iterdir():
        if entry.is_dir() and _FILE.fullmatch(entry.name):
            yield from (file for file in entry.iterdir() if file.is_file())
        elif entry.is_file():
            yield entry
