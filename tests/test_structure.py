"""Who may import whom, as docs/architecture.md states it; how large things may be; what only some files may know."""

import ast
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.structure import imported, imports, longest_chain, room_of, rooms, rungs, sizes, trees

RUNGS = rungs((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
LEVEL = {room: level for level, line in enumerate(RUNGS) for room in line}
LARGEST = {"file": 300, "class": 200, "function": 40}
# What a worker may use of the engine: it computes and talks, and never trains, records or starts anything.
FOR_WORKERS = {"engine.compute", "engine.data", "engine.errors", "engine.kernels", "engine.launch"} | {
    f"engine.{room}" for room in ("nn", "system", "wire")
}
FOR_RELAYS = FOR_WORKERS | {"engine.coordinator"}  # a relay is the coordinator of its processes
# Packages that only some rooms or modules may know.
ONLY = {
    "zmq": {"engine.wire"},
    "msgpack": {"engine.wire"},
    "sqlite3": {"engine.records"},
    "sqlite_utils": {"engine.records"},
    "safetensors": {"engine.checkpoint", "engine.data", "engine.export"},
    "onnx": {"engine.export"},
    "onnxruntime": {"engine.export"},
    "sklearn": {"engine.estimators"},
    "numba": {"engine.kernels.with_numba"},
    "scipy": {"engine.kernels.with_numpy"},
    "rich": {"engine.cli"},
    "matplotlib": {"engine.reports.plots"},
    "optuna": {"engine.sweeps.tpe"},
    "tomli_w": {"engine.sweeps.best"},
    # It unpickles, but only what processes that it has forked itself send through pipes which nobody else has.
    "multiprocessing": {"engine.cli.parallel"},
}
# Nothing that is received or read may ever be executed.
NEVER = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def test_the_page_names_every_room_once() -> None:
    named = [room for line in RUNGS for room in line]
    assert sorted(named) == sorted(rooms())
    assert len(RUNGS) <= 12


def test_a_room_imports_only_from_rungs_below_its_own() -> None:
    wrong = [
        f"{module} imports {name}, which is above or beside it"
        for module, names in imports().items()
        for name in sorted(names)
        if (other := room_of(name)) in LEVEL and other != room_of(module)
        if LEVEL[other] <= LEVEL[room_of(module)]
    ]
    assert not wrong


def test_there_is_no_circle_of_rooms_or_files() -> None:
    longest_chain(rooms())
    longest_chain({module: {name for name in names if name in trees()} for module, names in imports().items()})


def test_a_circle_is_found() -> None:
    with pytest.raises(ValueError, match="circle: a -> b -> a"):
        longest_chain({"a": {"b"}, "b": {"a"}})


@pytest.mark.parametrize("kind", LARGEST)
def test_nothing_is_too_large(kind: str) -> None:
    assert not [f"{name}: {lines} lines" for what, name, lines in sizes() if what == kind and lines > LARGEST[kind]]


def test_workers_use_only_what_computes_and_talks() -> None:
    assert not [
        f"{module} imports {name}"
        for module, names in imports().items()
        for name in sorted(names)
        if room_of(module) == "workers" and name.startswith("engine")
        if room_of(name) not in (FOR_RELAYS if module.startswith("workers.relay") else FOR_WORKERS)
    ]


def test_the_engine_does_not_know_the_workers() -> None:
    assert not [module for module in rooms() if module != "workers" and "workers" in rooms()[module]]


def test_what_only_some_files_may_know() -> None:
    wrong = []
    for module, names in imports().items():
        for name in sorted(names):
            package = name.partition(".")[0]
            homes = ONLY.get(package, {module})
            if package in NEVER or not any(module == home or module.startswith(f"{home}.") for home in homes):
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_nothing_is_executed_or_unpickled() -> None:
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{module}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
                assert ast.unparse(node.value) == "False", f"{module}:{node.value.lineno}"


def test_imports_are_seen_wherever_they_are() -> None:
    tree = ast.parse(
        "import a.b\nfrom engine import settings, Adam\ndef f():\n    from engine.data.cache import store\n"
        "    import_module('engine.cli.main')"
    )
    modules = frozenset(["engine.settings", "engine.data.cache"])
    assert sorted(imported(tree, modules)) == [
        "a.b",
        "engine",
        "engine.cli.main",
        "engine.data.cache",
        "engine.settings",
    ]


def test_the_rungs_are_read_as_they_are_written(tmp_path: Path) -> None:
    page = "text\n```\nengine.cli     what `engine.data` is for\nengine.nn  engine.data   (workers)\n```\n"
    assert rungs(page) == [["engine.cli"], ["engine.nn", "engine.data"]]
