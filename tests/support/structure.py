"""The house as the code has it: modules, rooms, imports, sizes. `python -m tests.support.structure [ROOT]` prints them.

Files are parsed, not imported, so that no import hides in a function or behind TYPE_CHECKING.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.support.repository import ROOT

PACKAGES = ("engine", "workers")
NAME = r"\b(?:engine(?:\.\w+)*|workers(?:\.\w+)*|gradsum)\b"


def module_of(path: Path, root: Path = ROOT) -> str:
    """Return the dotted name of the module in `path`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees(root: Path = ROOT) -> Mapping[str, ast.Module]:
    """Return the syntax tree of every module of the product, by name."""
    paths = [*(path for package in PACKAGES for path in (root / package).rglob("*.py")), *root.glob("*.py")]
    return {module_of(path, root): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(paths)}


def imported(tree: ast.AST, modules: frozenset[str]) -> Iterator[str]:
    """Yield the full name of every module that is imported somewhere in `tree`, at run time or for type checking."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in modules else str(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(word.value) for word in node.args if isinstance(word, ast.Constant))


@cache
def imports(root: Path = ROOT) -> Mapping[str, frozenset[str]]:
    """Return what every module imports, other packages included."""
    modules = frozenset(trees(root))
    return {module: frozenset(imported(tree, modules)) - {module} for module, tree in trees(root).items()}


def rungs(page: str) -> list[list[str]]:
    """Return the rungs that a page states, from the top: the first fenced block with rooms on its lines."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        lines = [re.findall(NAME, re.split(r" {3,}|\(", line.strip())[0]) for line in block.splitlines()]
        if sum(map(bool, lines)) > 1:
            return [line for line in lines if line]
    raise AssertionError("docs/architecture.md has no block of rungs")


def room_of(module: str) -> str:
    """Return the room that a module is in: engine.x, workers or gradsum; `engine` is the face alone."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "engine" else parts[0]


def rooms(root: Path = ROOT) -> Mapping[str, set[str]]:
    """Return what every room imports from other rooms."""
    found: dict[str, set[str]] = {room_of(module): set() for module in trees(root)}
    for module, names in imports(root).items():
        others = {room_of(name) for name in names if name.partition(".")[0] in (*PACKAGES, "gradsum")}
        found[room_of(module)] |= {other for other in others if other in found} - {room_of(module)}
    return found


def longest_chain(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the longest path through `graph`; ValueError if it has a circle."""
    best: dict[str, list[str]] = {}

    def visit(node: str, path: tuple[str, ...]) -> list[str]:
        if node in path:
            raise ValueError("circle: " + " -> ".join([*path[path.index(node) :], node]))
        if node not in best:
            tails = [visit(other, (*path, node)) for other in sorted(graph[node]) if other in graph]
            best[node] = [node, *max(tails, key=len, default=[])]
        return best[node]

    return max((visit(node, ()) for node in sorted(graph)), key=len)


def sizes(root: Path = ROOT) -> Iterator[tuple[str, str, int]]:
    """Yield (kind, name, lines) of every module, class and function of the product."""
    for module, tree in trees(root).items():
        yield "file", module, max((node.end_lineno or 0 for node in tree.body), default=0)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                yield kind, f"{module}.{node.name}", (node.end_lineno or 0) - node.lineno + 1


def main() -> None:
    """Print the rooms, the longest chains of imports and the largest things."""
    root = Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT
    graph = rooms(root)
    files = {name: {x for x in names if x in trees(root)} for name, names in imports(root).items()}
    chain = longest_chain(graph)
    print(f"{len(graph)} rooms, {sum(map(len, graph.values()))} imports between rooms, {len(files)} files")
    print(f"longest chain of rooms ({len(chain)}): " + " -> ".join(chain))
    for name, of in (("rooms", graph), ("files", files)):
        try:
            print(f"no circle of {name}; longest chain has {len(longest_chain(of))}")
        except ValueError as circle:
            print(f"{name}: {circle}")
    for kind in ("file", "class", "function"):
        lines, name = max((lines, name) for what, name, lines in sizes(root) if what == kind)
        print(f"largest {kind}: {name} with {lines} lines")


if __name__ == "__main__":
    main()
