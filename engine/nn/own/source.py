"""The source of a module that a person wrote: where it is, what Python calls it, and a digest of it."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from engine.errors import SettingsError
from engine.nn.own.blame import blaming
from engine.nn.own.neighbours import files_of

DIGITS = 12  # of a digest


@dataclass(frozen=True)
class Source:
    """The file of a module, in full; of a package, that of its `__init__`."""

    path: Path

    @property
    def root(self) -> Path:
        """The folder from which Python imports the module."""
        folder = self.path.parent
        while (folder / "__init__.py").exists():
            folder = folder.parent
        return folder

    @property
    def name(self) -> str:
        """What Python calls the module."""
        inside = self.path.relative_to(self.root).with_suffix("")
        return ".".join(inside.parent.parts if inside.name == "__init__" else inside.parts)

    def digest(self) -> str:
        """Return a digest of the file and of those beside it that it imports, or of all files of the package.

        SettingsError if one cannot be read.
        """
        digest = hashlib.sha256()
        try:
            for path in files_of(self.path, self.root):
                content = path.read_bytes()
                digest.update(f"{path.relative_to(self.root).as_posix()}\0{len(content)}\0".encode() + content)
        except OSError as error:
            raise SettingsError(f"--import {self.path}: {error.strerror}") from None
        return digest.hexdigest()[:DIGITS]


def locate(given: str | Path | ModuleType) -> Source:
    """Return the source of a module: itself, its name, or the path of its file or package. SettingsError for none."""
    if isinstance(given, ModuleType):
        return _of_file(given.__name__, getattr(given, "__file__", None))
    text = str(given).strip()
    if isinstance(given, Path) or text.endswith(".py") or os.sep in text:
        return _of_path(Path(text))
    if not text or not all(part.isidentifier() for part in text.split(".")):
        raise SettingsError(f"--import {text!r:.60}: give the name of a module, as in Python's import, or its file")
    if found := sys.modules.get(text):
        return locate(found)
    with current_folder_last(), blaming(f"importing what {text} is in"):
        try:
            spec = importlib.util.find_spec(text)
        except ModuleNotFoundError:
            spec = None
    if spec is None:
        raise SettingsError(f"--import {text}: no such module here; give the path of its file instead")
    return _of_file(text, spec.origin)


@contextmanager
def current_folder_last() -> Iterator[None]:
    """Let Python look for modules in the current folder, too, if it finds them nowhere else."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.reverse()
        sys.path.remove(folder)  # the last one
        sys.path.reverse()


def _of_path(path: Path) -> Source:
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        raise SettingsError(f"--import {path}: there is no such Python file, or folder with an __init__.py")
    return _of_file(str(path), str(file))


def _of_file(shown: str, file: str | None) -> Source:
    if file is None or not file.endswith(".py"):
        raise SettingsError(f"--import {shown:.200}: it has no Python source, which workers need: put it in a file")
    if os.pathsep in file:
        raise SettingsError(f"--import {file}: a path cannot have {os.pathsep!r} in it")
    return Source(Path(file).resolve())
