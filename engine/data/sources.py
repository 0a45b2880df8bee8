"""Data sets by name, and where they are looked for."""

from __future__ import annotations

import difflib
import os
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.data.collection import Options, Progress, size_option
from engine.data.convert import opened
from engine.data.dataset import Dataset
from engine.data.folder import STANDARD_NAMES, has_idx, load_folder, load_npz
from engine.data.picture import strict
from engine.data.picture_folder import find
from engine.errors import DataError


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


def load(
    name_or_path: str | Path,
    *,
    size: int | tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    folders: Sequence[Path] | None = None,
) -> Dataset:
    """Load the data set of this name (one of NAMES), or what is at a path: IDX files, pictures, or an .npz archive.

    "letters" is generated (once: then it is in the cache) and is always there. The others are looked for in
    `folders`, by default $GRADSUM_DATA/<name>, this user's data folder for gradsum and the system's. A folder that
    has the name of a known set, or its files, is read as that set.

    A folder of pictures has a folder for each class. With `size`, a side or (height, width), they are all scaled to
    it; with `skip_unreadable`, those that cannot be read are left out; `progress` is called with what is being done,
    how many pictures are done, and of how many. Raises DataError if there is no such data set.
    """
    options = Options(size_option(size), skip_unreadable, progress)
    name_or_path = str(name_or_path)
    if name_or_path == "letters":
        from engine.data.letters import cached_letters  # noqa: PLC0415  reads a font package

        return cached_letters()
    if name_or_path in _SOURCES:
        return _load_named(name_or_path, search_folders(name_or_path) if folders is None else folders)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return _load_directory(path, options)
    if path.is_file():
        return load_npz(path)
    close = difflib.get_close_matches(name_or_path.lower(), NAMES, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise DataError(
        f"no data set {name_or_path!r}: {hint}It must be one of {', '.join(NAMES)}, or the path of a folder of "
        "pictures or of IDX files, or of an .npz file"
    )


def search_folders(name: str) -> list[Path]:
    """Return the folders where the files of the data set `name` are looked for, first to last."""
    own = os.environ.get("GRADSUM_DATA")
    folders = [Path(own) / name] if own else []
    return [*folders, Path(platformdirs.user_data_dir("gradsum")) / name, *_SOURCES[name].also_in]


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


def _load_directory(path: Path, options: Options) -> Dataset:
    if not has_idx(path):
        with strict():
            return opened(find(path), options)
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
