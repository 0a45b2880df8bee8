"""Which modules with own layers, losses and metrics this process has: the environment says which it is to have."""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from engine.errors import SettingsError
from engine.nn.own.blame import OURS, blaming
from engine.nn.own.source import Source, locate

VARIABLE = "GRADSUM_IMPORT"
Modules = str | Path | ModuleType | Sequence[str | Path | ModuleType] | None  # what `import_` takes


@dataclass(frozen=True)
class Imported:
    """A module in this process; `digest` is that of its source when it was imported, `names` what Python calls it."""

    name: str
    digest: str
    path: Path
    module: ModuleType


IMPORTED: dict[Path, Imported] = {}


@contextmanager
def importing(asked: Modules = None) -> Iterator[None]:
    """Import modules, and let this process and those that it starts have them within the block.

    Text is one or several names or paths, with commas between them. None leaves it to the environment, of which the
    modules are imported. SettingsError for one that is not there, OwnCodeError for one that fails.
    """
    sources = asked_for() if asked is None else [locate(one) for one in _listed(asked)]
    for source in sources:
        _import(source)
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = os.pathsep.join(str(source.path) for source in sources)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        os.environ.update({} if before is None else {VARIABLE: before})


def asked_for() -> list[Source]:
    """Return the modules that this process is to have."""
    return [locate(word) for word in os.environ.get(VARIABLE, "").split(os.pathsep) if word]


def imported() -> tuple[Imported, ...]:
    """Return the modules that this process is to have and has."""
    return tuple(IMPORTED[source.path] for source in asked_for() if source.path in IMPORTED)


def _listed(asked: str | Path | ModuleType | Sequence[str | Path | ModuleType]) -> Sequence[str | Path | ModuleType]:
    if isinstance(asked, str):
        return asked.split(",")
    found = [asked] if isinstance(asked, Path | ModuleType) else asked
    if not isinstance(found, Sequence) or not all(isinstance(one, str | Path | ModuleType) for one in found):
        raise SettingsError(f"import_ takes modules, or their names or files, got {asked!r:.60}")
    return found


def _import(source: Source) -> None:
    """Import a module, unless this process has it already."""
    if source.path in IMPORTED:
        return
    digest, module = source.digest(), _loaded(source.path)
    if module is None:
        for folder in (str(source.root), str(Path(OURS).parent)):  # the latter has gradsum itself
            if folder not in sys.path:
                sys.path.append(folder)
        with blaming(f"importing {source.name}"):
            module = importlib.import_module(source.name)
        if _file_of(module) != source.path:
            raise SettingsError(
                f"--import {source.path}: Python finds another module called {source.name}, "
                f"{getattr(module, '__file__', 'a built-in one')}; rename yours"
            )
    IMPORTED[source.path] = Imported(source.name, digest, source.path, module)


def _loaded(path: Path) -> ModuleType | None:
    """Return the module of this file that the program has imported itself, or is."""
    return next((module for module in list(sys.modules.values()) if _file_of(module) == path), None)


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None
