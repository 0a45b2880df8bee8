"""Folders of pictures with a folder for each class, as people have them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.data.collection import Collection, Files
from engine.data.labels import MOST_CLASSES
from engine.data.natural import natural
from engine.data.parts import PARTS, chosen_parts
from engine.data.picture import is_picture, registered
from engine.errors import DataError

_MADE_BY_SYSTEMS = {"thumbs.db", "desktop.ini"}


def find(path: Path) -> Collection:
    """Find the pictures below `path`: class/name.png, or train/class/name.png and, say, test/class/name.png.

    In each part they are in the natural order of their names whatever their class, then of the classes: this does not
    depend on the file system, and pictures that are numbered keep the order of their numbers.
    Raises DataError if there are not at least two classes, or folders that contradict each other.
    """
    parts, notes = _parts(path)
    classes = sorted({name for part in parts for name in _folders(path / part)}, key=lambda name: (natural(name), name))
    found = [_Part(path, part, classes) for part in parts]
    for part in found:
        part.collect()
    if bad := [name for name in classes if not name.isprintable()]:
        raise DataError(f"{path}: the folder {bad[0]!r} gives a class a name that cannot be printed; rename it")
    train, *tests = found
    _check(path, train, tests)
    used = [name for number, name in enumerate(classes) if any(number in part.counts for part in found)]
    new_number = {classes.index(name): number for number, name in enumerate(used)}
    names = [name for part in found for name in part.names]
    labels = np.array([new_number[label] for part in found for label in part.labels], np.int32)
    counts = tuple(len(part.names) for part in found)
    notes += _notes(found, classes, used)
    return Collection(path.resolve().name, tuple(used), Files(path, names), labels, counts, tuple(notes))


@dataclass
class _Part:
    """What lies below one part: `folder` is "" where the classes lie in the root itself."""

    root: Path
    folder: str
    classes: list[str]

    def __post_init__(self) -> None:
        self.names: list[str] = []
        self.labels: list[int] = []
        self.left_out: list[str] = []
        self.counts: dict[int, int] = {}

    def collect(self) -> None:
        """Find the pictures and put them in order."""
        keys: list[str] = []  # of one text each, since there may be a million
        for place, name in enumerate(self.classes):
            prefix = f"{self.folder}/{name}" if self.folder else name
            for file in _files(self.root / prefix):
                if _suffix(file) in registered() or is_picture(str(self.root / prefix / file)):
                    keys.append(f"{natural(file)}\0{place:05}\0{file}")
                    self.counts[place] = self.counts.get(place, 0) + 1
                else:
                    self.left_out.append(f"{prefix}/{file}")
        keys.sort()
        for key in keys:
            _, number, file = key.split("\0")
            self.names.append("/".join(filter(None, (self.folder, self.classes[int(number)], file))))
            self.labels.append(int(number))
        self.left_out += [f"{self.folder}/{file}".lstrip("/") for file in _loose(self.root / self.folder)]


def _parts(path: Path) -> tuple[list[str], list[str]]:
    """Return the folders of the parts, [""] if the classes lie in the root, and what to tell of them."""
    folders = _folders(path)
    of_kind: dict[str, list[str]] = {}
    for name in folders:
        # A class may be called test or train as well: it holds pictures, a part holds folders.
        if name.lower() in PARTS and _folders(path / name):
            of_kind.setdefault(name.lower(), []).append(name)
    if not of_kind:
        return [""], []
    for names in of_kind.values():
        if len(names) > 1:
            raise DataError(f"{path}: holds {' and '.join(names)}, which differ in upper and lower case only; keep one")
    if "train" not in of_kind:
        names = [names[0] for names in of_kind.values()]
        raise DataError(f"{path}: holds {', '.join(names)} but not train, whose pictures would be learnt from")
    kinds, _ = chosen_parts(list(of_kind))
    chosen = [of_kind[kind][0] for kind in kinds]
    if len(chosen) == 3 and not {*_folders(path / chosen[0])} & {*_folders(path / chosen[2])}:
        chosen.pop()  # competitions keep its classes secret
    ignored = [name for name in folders if name not in chosen]
    return chosen, [f"not read: {', '.join(ignored)}, beside {' and '.join(chosen)}"] if ignored else []


def _check(path: Path, train: _Part, tests: list[_Part]) -> None:
    if not train.names:
        below = path / train.folder
        loose = _loose(below)
        layout = f"{below}/cat/1.png, {below}/dog/2.png"
        has = f"{len(loose):,} files, such as {loose[0]}, but no folders" if loose else "no pictures in folders"
        raise DataError(
            f"{path}: {has}; pictures are read from one folder for each class ({layout}), or as a CSV file with the "
            "columns file,label says"
        )
    if len(train.counts) < 2:
        only = train.classes[next(iter(train.counts))]
        inner = path / train.folder / only
        hint = f"; if its folders are the classes, name {inner} instead" if _folders(inner) else ""
        raise DataError(f"{path}: {only} is the only class with pictures, and two are needed{hint}")
    if len(train.counts) > MOST_CLASSES:
        raise DataError(f"{path}: {len(train.counts):,} folders, where {MOST_CLASSES:,} classes are the most")
    for test in tests:
        unknown = [train.classes[number] for number in test.counts if number not in train.counts]
        if unknown:
            raise DataError(
                f"{path}: {test.folder} has pictures of {', '.join(unknown[:3])}, {train.folder} has none: "
                "every class must be trained"
            )
        if not test.names:
            raise DataError(f"{path}: {test.folder} holds folders but no pictures; remove it, or fill it")


def _notes(found: list[_Part], classes: list[str], used: list[str]) -> list[str]:
    notes = []
    if left_out := [name for part in found for name in part.left_out]:
        more = f" and {len(left_out) - 3:,} more" if len(left_out) > 3 else ""
        notes.append(f"left out, not pictures in a class's folder: {', '.join(left_out[:3])}{more}")
    if empty := [name for name in classes if name not in used]:
        notes.append(f"no class, since there are no pictures in it: {', '.join(empty)}")
    for part in found[1:]:
        if missing := [name for number, name in enumerate(classes) if name in used and number not in part.counts]:
            notes.append(f"{part.folder} has no pictures of {', '.join(missing[:3])}" + " ..." * (len(missing) > 3))
    return notes


def _folders(path: Path) -> list[str]:
    return sorted(name for name, is_folder in _entries(path) if is_folder and not name.startswith("."))


def _loose(path: Path) -> list[str]:
    """Return the files that lie in no folder."""
    return sorted(name for name, is_folder in _entries(path) if is_folder is False and not _made_by_system(name))


def _entries(path: Path) -> list[tuple[str, bool | None]]:
    """Return the name of each entry, and whether it is a folder (True), a file (False) or neither (None)."""
    try:
        with os.scandir(path) as entries:
            return [(entry.name, _is_folder(entry)) for entry in entries]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _is_folder(entry: os.DirEntry[str]) -> bool | None:
    try:
        return entry.is_dir() or (False if entry.is_file() else None)
    except OSError:  # a link that leads to itself
        return None


def _files(folder: Path) -> Iterator[str]:
    """Yield the files below `folder`, as paths relative to it."""
    if not folder.exists():  # a class that only another part has
        return

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = os.path.relpath(place, folder)
        for name in files:
            if not _made_by_system(name):
                yield name if below == "." else f"{below}/{name}"


def _made_by_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in _MADE_BY_SYSTEMS


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  a Path for each of a million files takes seconds
