"""Modules of a person's: found by name, path and object; a digest of their source; their errors in one line."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.compute.fingerprint import fingerprint, kernels_fingerprint, own_difference
from engine.errors import GradsumError, OwnCodeError, SettingsError
from engine.nn.layers import REGISTRY
from engine.nn.own.imports import VARIABLE, imported, importing
from engine.nn.own.neighbours import files_of
from engine.nn.own.source import locate
from tests.support.own_code import LAYER, forgotten, write


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    """Forget the modules of each test."""
    with forgotten():
        yield


def test_by_name_by_file_and_by_object_it_is_the_same_module() -> None:
    path = write("byname.py", LAYER)
    with importing("byname"):
        [one] = imported()
        assert (one.name, one.path, os.environ[VARIABLE]) == ("byname", path, str(path))
        assert REGISTRY["Own"] is one.module.Own
    for same in (path, str(path), "./byname.py", sys.modules["byname"], [path, Path("byname.py")]):
        with importing(same):
            assert {other.module for other in imported()} == {one.module}
    assert VARIABLE not in os.environ


def test_a_package_is_all_of_its_files() -> None:
    write("pack/__init__.py", "from pack.inner import Own")
    inner = write("pack/inner.py", LAYER)
    whole, part = locate("pack"), locate(Path("pack/inner.py"))
    assert (whole.name, part.name, part.root) == ("pack", "pack.inner", Path.cwd())
    before = whole.digest(), part.digest()
    write("pack/more.py", "")
    assert (whole.digest() == before[0], part.digest() == before[1]) == (False, True)
    inner.write_text(f"{LAYER}\n")
    assert part.digest() != before[1]
    with importing("pack/"):
        assert imported()[0].module.Own.__module__ == "pack.inner"


@pytest.mark.parametrize(
    ("first", "beside"),
    [
        ("from beside import Own", "beside.py"),
        ("import numpy\n\ndef later():\n    import beside.inner", "beside/inner.py"),
        ("from beside import inner", "beside/__init__.py"),
        ("import between", "beside.py"),
    ],
)
def test_what_a_module_imports_from_beside_it_belongs_to_it(first: str, beside: str) -> None:
    write("between.py", "from beside import *\n")
    write("beside/inner.py" if "/" in beside else "unused.py", "")
    neighbour = write(beside, "")
    other = write("other.py", "")
    source = locate(write("first.py", first))
    before = source.digest()
    other.write_text("changed = 1\n")
    assert source.digest() == before
    neighbour.write_text("changed = 1\n")
    assert source.digest() != before


def test_relative_imports_are_followed_and_a_circle_ends() -> None:
    write("pack/__init__.py", "")
    write("pack/sub/__init__.py", "")
    write("pack/helper.py", "from .sub import first\n")
    source = locate(write("pack/sub/first.py", "from .. import helper\nfrom ...nowhere import x\n"))
    names = [path.relative_to(Path.cwd()).as_posix() for path in files_of(source.path, source.root)]
    assert names == ["pack/__init__.py", "pack/helper.py", "pack/sub/__init__.py", "pack/sub/first.py"]


def test_the_script_that_is_running_is_not_imported_again(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("script.py", "raise SystemExit(3)")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(path), raising=False)
    with importing(path):
        assert imported()[0].module is sys.modules["__main__"]


def test_the_environment_says_it_to_other_processes() -> None:
    path = write("told.py", LAYER)
    with importing([path]), importing():
        assert [one.name for one in imported()] == ["told"]


def test_the_fingerprint_has_the_digest_and_numpy() -> None:
    write("first.py", LAYER)
    plain = fingerprint()
    assert plain == kernels_fingerprint()
    with importing("first"):
        [one] = imported()
        assert re.fullmatch(
            re.escape(f"{plain}; own code first {one.digest}; numpy ") + "[0-9.]+ [0-9a-f]{12} for own code",
            fingerprint(),
        )
        assert kernels_fingerprint() == plain
    assert fingerprint() == plain


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        ("p; own code a 1", "p; own code a 1", ""),
        ("p", "q", ""),
        ("p", "p; own code a 1; own code b 2", "it has not imported a and b: start it with --import a,b"),
        ("p; own code a 1", "p", "it has imported a, and this run has not: start it without that"),
        (
            "p; own code a 1",
            "p; own code a 2",
            "it has another version of a (1, here 2): give it the same files, and start it again",
        ),
        ("p; own code ", "p; own code a b c", "it has not imported a: start it with --import a"),
    ],
)
def test_a_refusal_says_what_to_do(theirs: str, ours: str, said: str) -> None:
    assert own_difference(theirs, ours) == said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("wrong.py", "x = 1\ny = x +\n", "wrong.py:2: in importing wrong: SyntaxError"),
        (
            "raises.py",
            "def f():\n    raise ValueError('no')\nf()\n",
            "raises.py:2: in importing raises: ValueError: no",
        ),
        ("exits.py", "import sys\nsys.exit(1)\n", "exits.py:2: in importing exits: SystemExit"),
        ("lacks.py", "import nonsuch_at_all\n", "lacks.py:1: in importing lacks: ModuleNotFoundError"),
    ],
)
def test_a_module_that_fails_is_one_line(name: str, text: str, said: str) -> None:
    path = write(name, text)
    with pytest.raises(OwnCodeError, match=f"^{re.escape(str(path.parent / said))}"), importing(path):
        pass


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nonsuch", "--import nonsuch: no such module here"),
        ("nonsuch.inner", "--import nonsuch.inner: no such module here"),
        ("nonsuch.py", "--import nonsuch.py: there is no such Python file"),
        ("a b", "--import 'a b': give the name of a module"),
        ("", "--import '': give the name of a module"),
        ("sys", "--import sys: it has no Python source"),
        ("./colour.py", "Python finds another module called colour"),
    ],
)
def test_what_cannot_be_imported_is_named(asked: str, said: str) -> None:
    write("elsewhere/colour.py", "")
    write("colour.py", "")
    sys.path.insert(0, str(Path("elsewhere").absolute()))
    with pytest.raises(GradsumError, match=re.escape(said)) as raised, importing(asked):
        pass
    assert isinstance(raised.value, SettingsError)
