"""The fingerprint: another one wherever the bits may be others."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.compute import fingerprint
from tests.support.repository import ROOT
from tests.support.structure import imports, trees

HARMLESS = ("engine.errors", "engine.system.")  # they decide what is said and what is read, not what is computed
SAY = "from engine.compute.fingerprint import fingerprint; print(fingerprint())"


def needed(*modules: str) -> Iterator[str]:
    """Yield `modules`, and every module that they import, or that those import."""
    found, left = set(modules), list(modules)
    while left:
        module = left.pop()
        yield module
        new = {name for name in imports()[module] if name in trees()} - found
        found |= new
        left += new


# What turns parameters and samples into sums, sums into one sum, and that into the next parameters.
DECIDING = sorted(
    module for module in needed("engine.compute.evaluator", "engine.nn.optimizers") if not module.startswith(HARMLESS)
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package."""
    copy = tmp_path_factory.mktemp("copy") / "engine"
    shutil.copytree(fingerprint.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def edited(package: Path, module: str) -> bool:
    """Tell whether an edit of `module` is seen."""
    place = package.parent.joinpath(*module.split("."))
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    before, text = fingerprint.fingerprint(), path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# edited", encoding="utf-8")
    after = fingerprint.fingerprint()
    path.write_text(text, encoding="utf-8")
    assert fingerprint.fingerprint() == before
    return after != before


def test_an_edit_of_whatever_decides_bits_is_another_fingerprint(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    assert {"engine.data.sampler", "engine.compute.tree", "engine.nn.layers.conv2d", "engine.nn.parameters"} < set(
        DECIDING
    )
    assert [module for module in DECIDING if not edited(package, module)] == []


def test_an_edit_of_anything_else_is_not(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    others = ("engine.cli.commands.show", "engine.records.read", "engine.coordinator", "engine.errors")
    assert [module for module in others if edited(package, module)] == []


def test_other_instructions_of_the_processor_are_another_fingerprint() -> None:
    functions = np.lib.introspect.opt_func_info().values()
    used = {chosen["current"] for types in functions for chosen in types.values()}
    beyond = sorted(target for target in used if not target.startswith("baseline"))
    if not beyond:
        pytest.skip("numpy uses nothing here that could be switched off")
    environment = os.environ | {"GRADSUM_BACKEND": "numpy", "PYTHONPATH": str(ROOT)}
    plain, without = (
        subprocess.run(
            [sys.executable, "-c", SAY], env=environment | more, capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        for more in ({}, {"NPY_DISABLE_CPU_FEATURES": ",".join(beyond)})
    )
    assert all(target in plain and target not in without for target in beyond)
