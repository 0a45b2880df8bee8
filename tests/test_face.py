"""`import gradsum`: its names, what it costs, and a user's own engine.py or workers.py in the way."""

import ast
import os
import re
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import engine
import gradsum
from engine.launch.command import worker_command
from tests.support.command import save_data

pytestmark = pytest.mark.usefixtures("numpy_kernels")
ALL: list[str] = import_module("gradsum").__all__  # type checkers have the names, and not the list of them
NAMES = sorted([*ALL, "__version__"])
TRAIN = """
import gradsum
result = gradsum.train("mlp", "data.npz", workers=1, steps=2, snapshot_first=0, snapshot_every=0, db="r.db")
print(result.steps)
"""

PROGRAM = """
class Quiet(gradsum.Reporter):
    pass

network: gradsum.Network = gradsum.load_network(gradsum.train("mlp", "letters", reporter=Quiet()).checkpoint)
network.pretict
"""


def run(*command: object, path: object = "") -> "subprocess.CompletedProcess[str]":
    """Run Python, with a folder on its path before what is installed."""
    words = [str(word) for word in command]
    return subprocess.run(
        words, env=os.environ | {"PYTHONPATH": str(path)}, capture_output=True, text=True, check=False
    )


def said(*command: object, path: object = "") -> str:
    done = run(*command, path=path)
    assert done.returncode == 0, done.stderr
    return done.stdout


untyped: Any = gradsum


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: untyped.Model((untyped.Dense,)), "layer 1 must be a layer, such as Dense(10), got the class Dense"),
        (lambda: untyped.Model((untyped.Flatten(), 3)), "layer 2 must be a layer, such as Dense(10), got 3"),
        (lambda: untyped.Model(untyped.Dense(3)), "a model has a list of layers, such as (Flatten(), Dense(10)), got"),
        (lambda: untyped.train(name=3), "name must be text, got 3"),
        (lambda: untyped.train(reporter=3), "reporter must be a Reporter(), got 3"),
        (lambda: untyped.train(reporter=untyped.Reporter), "reporter must be a Reporter(), got <class"),
        (lambda: untyped.train(settings=3), "settings must be Settings(...), got 3; single ones are arguments by name"),
        (lambda: untyped.train(import_=3), "import_ takes modules, or their names or files, got 3"),
        (lambda: untyped.train(import_=[3]), "import_ takes modules, or their names or files, got [3]"),
        (lambda: untyped.train(db=3), "db must be a path, got 3"),
        (lambda: untyped.train(resume=3), "resume must be a path, got 3"),
        (lambda: untyped.sweep(3), "over must have values by setting, as {'lr': '1e-4:1e-1:log'} has, got 3"),
        (lambda: untyped.sweep({"lr": "1,2"}, reporter=untyped.Reporter()), "reporter must be a SweepReporter(), got"),
        (lambda: untyped.sweep({"lr": "1,2"}, out=3), "out must be a path, got 3"),
        (lambda: untyped.lr_find(low="a"), "low must be a number, got 'a'"),
        (lambda: untyped.lr_find(high=()), "high must be a number, got ()"),
        (lambda: untyped.lr_find(steps="x"), "steps must be a whole number from 1 to 1099511627776, got 'x'"),
        (lambda: untyped.lr_find(reporter=3), "reporter must be a Reporter(), got 3"),
        (lambda: untyped.Split(3, 4), "the inputs of a Split must be an array of numpy, got 3"),
        (lambda: untyped.Split(np.zeros((2, 3), np.float32), [0, 1]), "the targets of a Split must be an array"),
    ],
)
def test_what_is_of_another_type_is_refused_in_words(call: Callable[[], object], said: str) -> None:
    with pytest.raises(gradsum.GradsumError, match=re.escape(said)):
        call()


@pytest.mark.parametrize("module", [gradsum, engine])
def test_only_public_names_are_shown(module: object) -> None:
    assert dir(module) == NAMES
    for name in NAMES:
        assert getattr(module, name) is getattr(engine, name)
    assert dir(module) == NAMES


def test_type_checkers_are_told_of_every_public_name() -> None:
    tree = ast.parse(Path(engine.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    told = {alias.asname: (node.module, alias.name) for node in imports for alias in node.names}
    assert told == {name: (engine._HOME[name], name) for name in ALL}


def test_a_strict_program_of_a_user_is_checked_by_mypy() -> None:
    """Every public name, where it is installed; mypy wants py.typed, which only a package can have."""
    Path("program.py").write_text(
        "\n".join(["import engine as gradsum", *(f"gradsum.{name}" for name in NAMES), PROGRAM])
    )
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "program.py"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == [
        f'program.py:{len(NAMES) + 7}: error: "Network" has no attribute "pretict"; maybe "predict"?  [attr-defined]',
        "Found 1 error in 1 file (checked 1 source file)",
    ]


def test_what_everybody_needs_is_public() -> None:
    wanted = "train sweep load_network load_data Model Network Dataset Split Settings Reporter Result GradsumError"
    wanted += " Conv2d MaxPool2d Dense Dropout Flatten Relu Gelu SGD Momentum Adam SweepReporter SweepResult load"
    assert set(wanted.split()) <= set(ALL)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'gradsum' has no attribute 'trian'"):
        getattr(gradsum, "trian")  # noqa: B009 - mypy knows that it is not there, too


def test_the_version_is_that_of_the_package() -> None:
    assert gradsum.__version__ == version("gradsum")
    assert said(sys.executable, "-m", "gradsum", "--version") == f"gradsum {gradsum.__version__}\n"


def test_importing_it_imports_nothing_large() -> None:
    program = "import sys; before = set(sys.modules); import gradsum; print(*sorted(set(sys.modules) - before))"
    imported = {name.partition(".")[0] for name in said(sys.executable, "-c", program).split()}
    assert imported - sys.stdlib_module_names == {"gradsum", "engine"}


def test_ctrl_c_before_the_command_line_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.cli.main", stop)
    assert gradsum.main() == 130
    assert capsys.readouterr().err == "gradsum: interrupted\n"


def test_ctrl_c_that_python_drops_before_the_command_line_is_there_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> int:
        thing = Event()
        gone = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))  # what is raised here is dropped
        del thing
        assert gone() is None
        Event().wait(60)
        return 0

    monkeypatch.setattr("engine.cli.main", run)
    assert gradsum.main() == 130


def test_nothing_is_logged_unless_asked_for() -> None:
    program = "import gradsum, logging; logging.getLogger('gradsum.wire').error('x')"
    assert run(sys.executable, "-c", program).stderr == ""


def foreign_file(name: str) -> None:
    Path(f"{name}.py").write_text(f"raise SystemExit('{name}.py of the user was imported')")


def foreign_package(name: str) -> None:
    Path(name).mkdir()
    Path(name, "__init__.py").write_text(f"raise SystemExit('{name} of the user was imported')")


def foreign_folder(name: str) -> None:
    Path(name).mkdir()


@pytest.mark.parametrize("make", [foreign_file, foreign_package, foreign_folder])
def test_a_user_may_have_an_engine_and_workers(make: Callable[[str], None], tidy: Path) -> None:
    save_data()
    for name in ("engine", "workers"):
        make(name)
    Path("script.py").write_text(TRAIN)
    assert said(sys.executable, "script.py") == "2\n"
    assert said(sys.executable, "-c", "import gradsum; print(gradsum.train.__name__)", path=".") == "train\n"
    options = ("--data", "data.npz", "--model", "mlp", "--workers", 1, "--steps", 2, "--quiet")
    said(sys.executable, "-m", "gradsum", "train", *options, path=Path.cwd())


@pytest.mark.parametrize("make", [foreign_file, foreign_package, foreign_folder])
def test_workers_start_whatever_is_in_the_way(make: Callable[[str], None]) -> None:
    for name in ("engine", "workers"):
        make(name)
    done = run(*worker_command("nonsense"), path=Path.cwd())
    assert (done.returncode, done.stderr) == (
        2,
        "gradsum worker: 'nonsense' is not an address; try tcp://HOST:PORT, with a port from 0 to 65535\n",
    )


@pytest.mark.parametrize("place", ["engine.py", "engine/__init__.py"])
def test_another_engine_that_was_imported_before_is_named(place: str) -> None:
    file = Path(place).absolute()
    file.parent.mkdir(exist_ok=True)
    file.touch()
    done = run(sys.executable, "-c", "import engine, gradsum")
    named = re.escape(str(file))
    assert re.search(
        rf"^ImportError: gradsum has a package named engine, but {named} was .*: rename it$", done.stderr, re.M
    )


def test_a_script_may_itself_be_called_engine() -> None:
    Path("engine.py").write_text("import gradsum; print(gradsum.Dense.__name__)")
    assert said(sys.executable, "engine.py") == "Dense\n"


def test_batch_norm_is_not_offered() -> None:
    with pytest.raises(AttributeError, match=r"BatchNorm2d is not offered: .* use GroupNorm or LayerNorm"):
        _ = getattr(engine, "BatchNorm2d")  # noqa: B009 - type checkers know that it is not there
