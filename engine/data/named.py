"""Published data sets of IDX files: by name, where they are looked for, and in any folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.data.dataset import Dataset
from engine.data.families import FAMILIES, described
from engine.data.folder import load_folder
from engine.data.idx_files import STANDARD_NAMES, Files, choose, sets_in
from engine.errors import DataError
from engine.system.places import data_folder, expanded


def search_folders(name: str) -> list[Path]:
    """Return the folders where the files of the data set `name` are looked for, first to last."""
    given = os.environ.get("GRADSUM_DATA")
    folders = [expanded(given) if given else None, data_folder()]
    return [*(folder / name for folder in folders if folder), *FAMILIES[name].also_in]


def load_named(name: str, folders: Sequence[Path]) -> Dataset:
    """Load a set of FAMILIES from the first of `folders` that is there; DataError says where to get it."""
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


def load_idx(path: Path, sets: dict[str, Files], chosen: str | None = None) -> Dataset:
    """Load the set called `chosen` of those in the folder, or the only one."""
    name = chosen or path.resolve().name
    own_name = choose(path, sets, name)[:-1] or name
    return _load_source(own_name, path) if own_name in FAMILIES else load_folder(path, name=own_name)


def _load_source(name: str, folder: Path) -> Dataset:
    prefix = choose(folder, sets_in(folder), name)
    family = described(FAMILIES[name], folder, prefix)
    dataset = load_folder(
        folder, name=name, transposed=family.transposed, first_label=family.first_label, classes=family.classes
    )
    return replace(dataset, notes=("stored column by column: turned upright",)) if family.transposed else dataset
