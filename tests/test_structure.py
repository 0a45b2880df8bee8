"""Who may import whom: the map of DESIGN, section 3, as the code has it now; and what only one file may know.

The files are parsed, not imported, so that nothing hides in a function or behind TYPE_CHECKING.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.repository import ROOT

PACKAGES = ("engine", "workers")

# A file imports only from lines below its own. A folder is one unit; files of one line do not know each other.
MAP = """
    engine.cli
    engine
    engine.plots
    engine.sweeps
    engine.training
    engine.warm
    engine.loop engine.cluster
    engine.coordinator engine.notices engine.arbiter
    engine.current engine.pause engine.peers
    engine.collect engine.members
    engine.policy
    engine.rounds
    engine.launch
    engine.transport
    engine.guard engine.curve
    engine.messages
    engine.shared_memory
    engine.prepare
    engine.report
    engine.network
    engine.page
    engine.snapshots
    engine.records
    engine.checkpoint
    engine.evaluate
    engine.job
    engine.plan
    engine.settings
    engine.optim
    engine.program
    engine.data
    engine.numerics
    engine.kernels
    engine.model
    engine.layers
    engine.params
    engine.address
    engine.processes engine.memory engine.display engine.validation engine.interrupt engine.threads engine.clock
    engine.toml
    engine.errors
"""
WORKERS_MAP = """
    workers.__main__
    workers.worker
    workers.session workers.supply workers.mail workers.lifeline
    workers
"""
# What a worker may use of the engine: it computes and talks, and never trains, records or starts anything.
FOR_WORKERS = """
    transport curve address messages mailbox evaluate job plan data model layers numerics params settings threads memory
    errors
"""
# Packages that only some files may know.
ONLY = {
    "zmq": {"engine/transport", "engine/curve.py"},
    "msgpack": {"engine/messages.py"},
    "sqlite3": {"engine/records"},
    "sqlite_utils": {"engine/records"},
    "safetensors": {"engine/checkpoint", "engine/data"},
    "numba": {"engine/kernels/with_numba", "engine/numerics.py"},
    "rich": {"engine/cli"},
    "matplotlib": {"engine/plots"},
    "optuna": {"engine/sweeps/tpe.py"},
    "tomli_w": {"engine/sweeps/best.py"},
}
# Nothing that is received or read may ever be executed.
NEVER = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "multiprocessing",
    "runpy",
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}
MODULES = {module_of(path) for path in TREES}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of every module that is imported somewhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)


def unit_of(module: str) -> str:
    """Return the line of the map that a module belongs to."""
    return ".".join(module.split(".")[:2])


def levels(text: str) -> dict[str, int]:
    """Return the line number of every unit in a map."""
    return {unit: number for number, line in enumerate(text.strip().splitlines()) for unit in line.split()}


ENGINE, WORKERS = levels(MAP), levels(WORKERS_MAP)
# Every import there is: the file, its unit, and what it imports.
IMPORTS = [
    (str(path.relative_to(ROOT)), unit_of(module_of(path)), name)
    for path, tree in TREES.items()
    for name in sorted(set(imported(tree)))
]


def test_every_file_has_a_place_in_the_map() -> None:
    assert {unit_of(module) for module in MODULES} == ENGINE.keys() | WORKERS.keys()


def test_a_file_imports_only_from_lines_below_its_own() -> None:
    wrong = []
    for place, unit, name in IMPORTS:
        lines, other = ENGINE if unit in ENGINE else WORKERS, unit_of(name)
        if other in lines and other != unit and lines[other] <= lines[unit]:
            wrong.append(f"{place} imports {name}, which is above or beside it")
    assert not wrong


def test_the_engine_does_not_know_the_workers_and_they_only_part_of_it() -> None:
    allowed = {f"engine.{name}" for name in FOR_WORKERS.split()}
    for place, unit, name in IMPORTS:
        if unit in ENGINE:
            assert not name.startswith("workers"), f"{place} imports {name}"
        elif name.startswith("engine"):
            assert unit_of(name) in allowed, f"{place} imports {name}"


def test_what_only_some_files_may_know() -> None:
    for place, _, name in IMPORTS:
        package = name.partition(".")[0]
        assert package not in NEVER, f"{place} imports {name}"
        homes = ONLY.get(package, {place})
        assert any(place == home or place.startswith(f"{home}/") for home in homes), f"{place} imports {name}"


def test_nothing_is_executed_or_unpickled() -> None:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
                assert ast.unparse(node.value) == "False", f"{path}:{node.value.lineno}"


def test_the_check_sees_what_it_should() -> None:
    tree = ast.parse("import a.b\nfrom engine import plan, Adam\ndef f():\n    from engine.data.cache import store")
    assert sorted(imported(tree)) == ["a.b", "engine", "engine.data.cache", "engine.plan"]
    assert ENGINE["engine"] == 1
    assert ENGINE["engine.errors"] == max(ENGINE.values())
