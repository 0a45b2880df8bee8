"""Training gives the same bits whatever the processor, the tile, and what BLAS and numpy make of the processor.

The digests of short runs stand in `tests/support/short_runs.py`, of parameters and optimizer's state. So every machine
that runs these tests is compared with all others.
"""

import json
import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.data.letters import letters
from engine.kernels import choose
from tests.support import short_runs
from tests.support.repository import ROOT

COMPILED = find_spec("numba") is not None
KERNELS = "numba" if COMPILED else "exact"
INTEL = platform.machine() == "x86_64"
needs_numba = pytest.mark.skipif(not COMPILED, reason="numba is not installed")
DISPATCHED = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])

ANYWHERE = [
    {"GRADSUM_TILE": "4x3x4"},
    {"GRADSUM_TILE": "4x3x8"},
    {"GRADSUM_TILE": "8x3x16"},
    {"NPY_DISABLE_CPU_FEATURES": " ".join(DISPATCHED)},
]
ON_X86 = [
    {"NUMBA_CPU_NAME": "haswell"},
    {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+fma,+avx2"},
    {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+fma"},
    {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+fma", "GRADSUM_TILE": "4x3x4"},
    {"NUMBA_CPU_NAME": "sandybridge", "NUMBA_CPU_FEATURES": "+avx", "GRADSUM_ALLOW_SLOW": "1"},
    {"OPENBLAS_CORETYPE": "Sandybridge"},
    {"OPENBLAS_CORETYPE": "Haswell"},
]


def digests(*names: str, before: str = "pass", **environment: str) -> dict[str, str]:
    """Return the digests of short runs, all or some, of a process with this environment that did `before` first."""
    program = f"import runpy, sys\n{before}\nrunpy.run_module('tests.support.short_runs', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        env=os.environ | {"GRADSUM_BACKEND": "numba"} | environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_this_processor_gives_the_bits_that_all_give_and_they_are_verified(tmp_path: Path) -> None:
    result = short_runs.train("letters", tmp_path, kernels=KERNELS)
    told = engine.verify(
        result.checkpoint, data=letters(train=76, test=8, seed=7), workers=2, kernels=KERNELS, allow_slow=True
    )
    assert told.text() == "verified: the same bits after 3 steps"
    assert told.sha256 == short_runs.DIGESTS["letters"]


@needs_numba
@pytest.mark.parametrize("name", [name for name in short_runs.RUNS if name != "letters"])
def test_so_do_other_runs(name: str) -> None:
    assert short_runs.digest(name, kernels="numba") == short_runs.DIGESTS[name]


@pytest.mark.check
@pytest.mark.computes
@needs_numba
@pytest.mark.parametrize("environment", [*ANYWHERE, *(ON_X86 if INTEL else [])], ids=str)
def test_any_processor_gives_the_same_bits(environment: dict[str, str]) -> None:
    assert digests(**environment) == short_runs.DIGESTS


@pytest.mark.check
@pytest.mark.computes
@pytest.mark.parametrize("name", ["letters", "mlp", "layers", "blocks"])
def test_so_do_the_exact_kernels(name: str) -> None:
    assert short_runs.digest(name, kernels="exact") == short_runs.DIGESTS[name]


@pytest.mark.check
@pytest.mark.computes
@needs_numba
@pytest.mark.parametrize("how", ["flush", "upward"])
def test_a_process_that_rounds_otherwise_gives_the_same_or_nothing(how: str) -> None:
    before = f"from tests.kernels.test_rounding import disturb; disturb({how!r})"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        digests("letters", before=before)
    assert "GradsumError: this process" in caught.value.stderr


def test_numpy_kernels_have_bits_of_their_own() -> None:
    assert short_runs.digest("mlp", kernels="numpy") != short_runs.DIGESTS["mlp"], "or the other tests show nothing"
    assert choose("numpy").name == "numpy"
