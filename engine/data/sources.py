"""Data sets by name, and where they are looked for."""

from __future__ import annotations

import difflib
import os
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.data.dataset import Dataset
from engine.data.folder import STANDARD_NAMES, load_folder, load_npz
from engine.errors import DataError
from engine.system.places import data_folder, expanded


@dataclass(frozen=True)
class _Source:
    """A published data set of four IDX files."""

    published: str
    classes: tuple[str, ...]
    transposed: bool = False
    first_label: int = 0
    also_in: tuple[Path, ...] = ()
    prefix: str = ""


_SOURCES = {
    "mnist": _Source(
        published="http://yann.lecun.com/exdb/mnist, mirrored at https://ossci-datasets.s3.amazonaws.com/mnist/",
        classes=tuple(string.digits),
    ),
    "fashion-mnist": _Source(
        published="https://github.com/zalandoresearch/fashion-mnist, or: apt install dataset-fashion-mnist",
        classes=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        also_in=(Path("/usr/share/datasets/fashion-mnist"),),
    ),
    "emnist-letters": _Source(
        published="https://www.nist.gov/itl/products-and-services/emnist-dataset (gzip.zip)",
        classes=tuple(string.ascii_lowercase),
        transposed=True,
        first_label=1,
        prefix="emnist-letters-",
    ),
}  # fmt: skip

NAMES = ("letters", *_SOURCES)


def load(name_or_path: str, *, folders: Sequence[Path] | None = None) -> Dataset:
    """Load the data set of this name (one of NAMES), or else the folder of IDX files or the .npz archive at a path.

    "letters" is generated (once: then it is in the cache) and is always there. The others are looked for in
    `folders`, by default $GRADSUM_DATA/<name>, this user's data folder for gradsum and the system's. A folder that
    has the name of a known set, or its files, is read as that set. Raises DataError if there is no such data set.
    """
    if name_or_path == "letters":
        from engine.data.letters import cached_letters  # noqa: PLC0415  reads a font package

        return cached_letters()
    if name_or_path in _SOURCES:
        return _load_named(name_or_path, search_folders(name_or_path) if folders is None else folders)
    path = expanded(name_or_path)
    if path.is_dir():
        return _load_directory(path)
    if path.is_file():
        return load_npz(path)
    close = difflib.get_close_matches(name_or_path.lower(), NAMES, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise DataError(
        f"no data set {name_or_path!r}: {hint}It must be one of {', '.join(NAMES)}, or the path of a folder of "
        "IDX files or of an .npz file"
    )


def search_folders(name: str) -> list[Path]:
    """Return the folders where the files of the data set `name` are looked for, first to last."""
    given = os.environ.get("GRADSUM_DATA")
    folders = [expanded(given) if given else None, data_folder()]
    return [*(folder / name for folder in folders if folder), *_SOURCES[name].also_in]


def _load_named(name: str, folders: Sequence[Path]) -> Dataset:
    source = _SOURCES[name]
    for folder in folders:
        if folder.is_dir():
            return _load_source(name, folder)
    files = ", ".join(source.prefix + file.replace("t10k", "test" if source.prefix else "t10k")
                      for file in STANDARD_NAMES)  # fmt: skip
    raise DataError(
        f"{name} is not on this machine. Its four files {files} (each may end in .gz) are published at "
        f"{source.published}. Put them into one of: {', '.join(str(folder) for folder in folders)}"
    )


def _load_directory(path: Path) -> Dataset:
    name = path.resolve().name
    for known, source in _SOURCES.items():
        if name == known or (source.prefix and any(path.glob(f"{source.prefix}train-images*"))):
            return _load_source(known, path)
    return load_folder(path, name=name)


def _load_source(name: str, folder: Path) -> Dataset:
    source = _SOURCES[name]
    return load_folder(
        folder, name=name, transposed=source.transposed, first_label=source.first_label, classes=source.classes
    )
