"""The files of a person's own module: itself, and what it imports from the folder or package that it is in."""

import ast
from collections.abc import Iterator
from pathlib import Path

OURS = "gradsum"  # may lie there, too, and is compared by itself


def files_of(path: Path, root: Path) -> list[Path]:
    """Return `path`, and the files under `root`, from which Python imports it, that its imports lead to, sorted.

    Of a package these are all of its files besides. What is imported by a name that is only known when the program
    runs is not found. OSError if a file cannot be read.
    """
    package = path.name == "__init__.py"
    waiting = [*(path.parent.rglob("*.py") if package else [path]), *_above(path, root)]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            for name in _imported(file, root):
                waiting += _files_named(name, root)
    return sorted(found)


def _above(path: Path, root: Path) -> Iterator[Path]:
    """Yield the files that Python runs before that of a module in a package: those of the packages around it."""
    for folder in path.parents:
        if folder == root:
            return
        if (file := folder / "__init__.py").is_file():
            yield file


def _imported(path: Path, root: Path) -> Iterator[str]:
    """Yield the full names of modules, or of what is in them, that a file imports anywhere."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # which the import will say, with the line
        return
    package = path.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def _files_named(name: str, root: Path) -> Iterator[Path]:
    """Yield the files under `root` that are imported by a name, those of the packages around it included."""
    parts = name.split(".")
    if parts[0] == OURS:
        return
    for count in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:count])
        yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())
