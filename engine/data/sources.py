"""Data sets by name, at a path, or given in Python.

The data set "letters" is generated (once: then it is in the cache) and is always there. The others are looked for in
$GRADSUM_DATA/<name>, this user's data folder for gradsum and the system's. A folder that has the name of a known set,
or its files, is read as that set; where several sets lie in one folder, FOLDER/emnist-digits names one by how its files
begin.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.data.collection import Options, Progress, size_option
from engine.data.convert import opened
from engine.data.csv_pictures import read_csv
from engine.data.dataset import Dataset
from engine.data.families import FAMILIES
from engine.data.feature_files import READERS, load_features
from engine.data.idx_files import sets_in
from engine.data.named import load_idx, load_named, search_folders
from engine.data.npz import load_npz
from engine.data.objects import from_objects
from engine.data.parquet_pictures import parquet_files, read_parquet
from engine.data.picture import strict
from engine.data.picture_folder import find
from engine.errors import DataError
from engine.system.places import expanded

NAMES = ("letters", *FAMILIES)


def load(
    source: Any,
    *,
    size: int | tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    columns: tuple[str, str] | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    target_column: str | None = None,
    task: str | None = None,
    progress: Progress | None = None,
    folders: Sequence[Path] | None = None,
) -> Dataset:
    """Load the data set of a name (one of NAMES, looked for in `folders`), at a path, or given in Python.

    A path may be of a folder of IDX files, of pictures with a folder for each class, or of parquet files; or of a CSV
    file that names pictures and labels, a parquet file or an .npz archive. With `size`, a side or (height, width),
    pictures are all scaled to it; with `skip_unreadable`, those that cannot be read are left out; `columns` are those
    of pictures and labels; `progress` is called with what is being done, how many pictures are done, and of how many.

    A CSV or parquet file with columns of numbers holds features. `target_column` is what is to be said of each row (by
    default the column called label, target, y or the like, or else the last one): a class if it holds whole numbers or
    words, a value if it holds floats, unless `task` says "classification" or "regression".

    In Python: (X, y), ((X, y), (Xt, yt)), or something with len and [i] that returns (image, label); its `name` and
    the names of its `classes` may be given. X [N, D] with numbers are features, and y then as a `target_column`, or
    floats [N, T]. Raises DataError if there is no such data set, or if it cannot be used.
    """
    options = Options(size_option(size), skip_unreadable, columns, progress)
    if isinstance(source, Dataset):
        if options.chosen() or any(value is not None for value in (classes, name, target_column, task)):
            raise DataError(f"{source.name} is a Dataset, which was read already: give no options of how to read it")
        return source
    if not isinstance(source, str | Path):
        return from_objects(source, options, name, classes, target_column, task)
    if name is not None or classes is not None:
        raise DataError("name and classes are for data given in Python; files, folders and labels have names")
    found = _load_features(expanded(str(source)), target_column, task, options)
    return _load_text(str(source), options, folders) if found is None else found


def _load_features(path: Path, target: str | None, task: str | None, options: Options) -> Dataset | None:
    """Return the features at a path; None if there are none, and nothing was chosen that only they have."""
    chosen = [name for name, value in (("target-column", target), ("task", task)) if value is not None]
    if path.suffix.lower() in READERS and path.is_file() and not options.columns:
        found = load_features(path, target, task)
        if found is not None:
            options.check_unused(str(path))
            return found
    elif chosen:
        raise DataError(f"{path}: {chosen[0]} is for features in a CSV or parquet file; leave it out")
    return None


def is_there(source: str) -> bool:
    """Tell whether it is one of NAMES, or a path at which there is something."""
    path = Path(source)
    return source in NAMES or path.exists() or _names_a_set(path)


def full_path(source: str) -> str:
    """Return a name of NAMES as it is, and a path in full, so that it is found from any folder."""
    return str(Path(source).absolute()) if source not in NAMES and is_there(source) else source


def _load_text(source: str, options: Options, folders: Sequence[Path] | None) -> Dataset:
    if source in NAMES:
        options.check_unused(source)
        if source in FAMILIES:
            return load_named(source, search_folders(source) if folders is None else folders)
        from engine.data.letters import cached_letters  # noqa: PLC0415  reads a font package

        return cached_letters()
    if not source:
        raise DataError("the name or path of the data is empty")
    path = expanded(source)
    if path.is_dir():
        return _load_directory(path, options)
    if path.is_file():
        return _load_file(path, options)
    if _names_a_set(path):
        options.check_unused(source)
        return load_idx(path.parent, sets_in(path.parent), path.name)
    close = difflib.get_close_matches(source.lower(), NAMES, n=1)
    near = f"; did you mean {close[0]}? It" if close else "; it"
    raise DataError(
        f"no data set, file or folder {source!r}{near} must be one of {', '.join(NAMES)}, or the path of a folder of "
        "pictures or of IDX files, or of a .csv, .parquet or .npz file"
    )


def _names_a_set(path: Path) -> bool:
    """Tell whether the path is a folder and how the IDX files of one set in it begin."""
    return path.parent.is_dir() and f"{path.name}-" in sets_in(path.parent)


def _load_directory(path: Path, options: Options) -> Dataset:
    if sets := sets_in(path):
        options.check_unused(str(path))
        return load_idx(path, sets)
    with strict():
        if tables := parquet_files(path):
            return opened(read_parquet(tables, path.resolve().name, options.columns), options)
        if options.columns:
            raise DataError(f"{path}: columns are for CSV and parquet files")
        return opened(find(path), options)


def _load_file(path: Path, options: Options) -> Dataset:
    ending = path.suffix.lower()
    with strict():
        if ending in (".csv", ".tsv"):
            return opened(read_csv(path, options.columns), options)
        if ending == ".parquet":
            return opened(read_parquet([path], path.stem, options.columns), options)
    options.check_unused(str(path))
    return load_npz(path)
