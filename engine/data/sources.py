"""Data sets by name, and where they are looked for."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs

from engine.data.collection import Options, Progress, size_option
from engine.data.convert import opened
from engine.data.dataset import Dataset
from engine.data.families import FAMILIES, described
from engine.data.folder import load_folder, load_npz
from engine.data.idx_files import STANDARD_NAMES, choose, sets_in
from engine.data.picture import strict
from engine.data.picture_folder import find
from engine.errors import DataError

NAMES = ("letters", *FAMILIES)


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
    has the name of a known set, or its files, is read as that set; where several sets lie in one folder,
    FOLDER/emnist-digits names one by how its files begin.

    A folder of pictures has a folder for each class. With `size`, a side or (height, width), they are all scaled to
    it; with `skip_unreadable`, those that cannot be read are left out; `progress` is called with what is being done,
    how many pictures are done, and of how many. Raises DataError if there is no such data set.
    """
    options = Options(size_option(size), skip_unreadable, progress)
    name_or_path = str(name_or_path)
    if name_or_path == "letters":
        from engine.data.letters import cached_letters  # noqa: PLC0415  reads a font package

        return cached_letters()
    if name_or_path in FAMILIES:
        return _load_named(name_or_path, search_folders(name_or_path) if folders is None else folders)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return _load_directory(path, options)
    if path.is_file():
        return load_npz(path)
    if path.parent.is_dir() and f"{path.name}-" in sets_in(path.parent):
        return _load_directory(path.parent, options, path.name)
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
    return [*folders, Path(platformdirs.user_data_dir("gradsum")) / name, *FAMILIES[name].also_in]


def _load_named(name: str, folders: Sequence[Path]) -> Dataset:
    source = FAMILIES[name]
    for folder in folders:
        if folder.is_dir():
            return _load_source(name, folder)
    files = ", ".join(source.prefix + file.replace("t10k", "test" if source.prefix else "t10k")
                      for file in STANDARD_NAMES)  # fmt: skip
    raise DataError(
        f"{name} is not on this machine. Its four files {files} (each may end in .gz) are published at "
        f"{source.published}. Put them into one of: {', '.join(str(folder) for folder in folders)}"
    )


def _load_directory(path: Path, options: Options, chosen: str | None = None) -> Dataset:
    """Load the set called `chosen` in the folder, or the only one; if it has no IDX files, the pictures."""
    sets = sets_in(path)
    if not sets:
        with strict():
            return opened(find(path), options)
    name = chosen or path.resolve().name
    prefix = choose(path, sets, name)
    own_name = prefix[:-1] or name
    return _load_source(own_name, path) if own_name in FAMILIES else load_folder(path, name=own_name)


def _load_source(name: str, folder: Path) -> Dataset:
    prefix = choose(folder, sets_in(folder), name)
    family = described(FAMILIES[name], folder, prefix)
    dataset = load_folder(
        folder, name=name, transposed=family.transposed, first_label=family.first_label, classes=family.classes
    )
    return replace(dataset, notes=("stored column by column: turned upright",)) if family.transposed else dataset
