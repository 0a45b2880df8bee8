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
from engine.kernels.golden import GOLDEN
from tests.support.backends import BACKENDS
from tests.support.repository import ROOT
from tests.support.structure import imports, trees

HARMLESS = ("engine.errors", "engine.system.")  # they decide what is said and what is read, not what is computed
SAY = "from engine.compute.fingerprint import fingerprint, libraries; print(fingerprint()); print(libraries())"


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
    before, text = fingerprint.source_digest(package), path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# edited", encoding="utf-8")
    after = fingerprint.source_digest(package)
    path.write_text(text, encoding="utf-8")
    assert fingerprint.source_digest(package) == before
    return after != before


def test_the_fingerprint_begins_with_a_digest_of_the_source() -> None:
    assert fingerprint.fingerprint().startswith(f"program {fingerprint.source_digest(fingerprint.PACKAGE)[:12]}; ")


def test_an_edit_of_whatever_decides_bits_is_another_digest(package: Path) -> None:
    assert {"engine.data.sampler", "engine.compute.tree", "engine.nn.layers.conv2d", "engine.nn.parameters"} < set(
        DECIDING
    )
    assert [module for module in DECIDING if not edited(package, module)] == []


def test_an_edit_of_anything_else_is_not(package: Path) -> None:
    others = ("engine.cli.commands.show", "engine.records.read", "engine.coordinator", "engine.errors")
    assert [module for module in others if edited(package, module)] == []


def said(**environment: str) -> list[str]:
    """Return the fingerprint and the libraries of a process with this environment."""
    told = subprocess.run(
        [sys.executable, "-c", SAY],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return told.stdout.splitlines()


def test_other_instructions_of_the_processor_are_another_fingerprint_with_numpy_only() -> None:
    functions = np.lib.introspect.opt_func_info().values()
    used = {chosen["current"] for types in functions for chosen in types.values()}
    beyond = sorted(target for target in used if not target.startswith("baseline"))
    if not beyond:
        pytest.skip("numpy uses nothing here that could be switched off")
    fewer = {"NPY_DISABLE_CPU_FEATURES": ",".join(beyond)}
    plain, without = (said(GRADSUM_BACKEND="numpy", **more)[0] for more in ({}, fewer))
    assert all(target in plain and target not in without for target in beyond)
    assert said(GRADSUM_BACKEND="exact", **fewer) == said(GRADSUM_BACKEND="exact")


@pytest.mark.skipif(len(BACKENDS) == 1, reason="numba is not installed")
def test_exact_and_compiled_kernels_for_any_processor_have_one_fingerprint() -> None:
    exact, here, there = (
        said(GRADSUM_BACKEND="exact"),
        said(GRADSUM_BACKEND="numba"),
        said(GRADSUM_BACKEND="numba", NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+fma,+avx2"),
    )
    assert exact[0] == here[0] == there[0]
    assert GOLDEN[:12] in exact[0]
    assert len({exact[1], here[1], there[1]}) == 3
    assert " for haswell (" in there[1]
