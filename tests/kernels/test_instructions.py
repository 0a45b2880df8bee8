"""No kernel may be computed otherwise than it says: no contraction, no other order, no approximation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

pytest.importorskip("numba")
from engine.kernels.with_numba.jit import COMPILED


def test_no_kernel_is_compiled_with_fast_math() -> None:
    assert len(COMPILED) > 20
    assert [kernel.__name__ for kernel in COMPILED if kernel.targetoptions.get("fastmath")] == []


@pytest.mark.check
@pytest.mark.computes
def test_what_the_compiler_made_of_it(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.instructions"],
        env=os.environ | {"GRADSUM_CACHE": str(tmp_path)},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(told.stdout)
    assert found.pop("kernels") > 20
    assert found == {"flags": [], "fused": []}
