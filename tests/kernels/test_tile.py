"""Which tile a processor gets, and that one without fused multiply-add is refused."""

import os
import subprocess
import sys

import pytest

from engine.errors import SettingsError
from tests.support.repository import ROOT

pytest.importorskip("numba")
from engine.kernels.with_numba.tile import MIDDLE, NARROW, WIDE, Tile, tile_for

X86 = "x86_64-unknown-linux-gnu"
PYTHON = (sys.executable, "-c")


@pytest.mark.parametrize(
    ("name", "features", "tile"),
    [
        ("haswell", "", MIDDLE),
        ("x86-64-v3", "", MIDDLE),
        ("skylake-avx512", "", WIDE),
        ("znver4", "", WIDE),
        ("x86-64", "+fma", MIDDLE),
    ],
)
def test_vectors_are_as_wide_as_the_processor_has_them(name: str, features: str, tile: Tile) -> None:
    assert tile_for(X86, name, features, allow_slow=False) == tile


@pytest.mark.parametrize(
    ("name", "features"), [("x86-64", ""), ("nehalem", ""), ("sandybridge", ""), ("haswell", "-fma")]
)
def test_a_processor_without_fused_multiply_add_is_refused(name: str, features: str) -> None:
    with pytest.raises(SettingsError, match=f"the processor {name} has no fused multiply-add.*--allow-slow.*numpy"):
        tile_for(X86, name, features, allow_slow=False)
    assert tile_for(X86, name, features, allow_slow=True) in {NARROW, MIDDLE}


def test_it_is_refused_where_kernels_are_taken_unless_it_is_asked_for() -> None:
    program = "from engine.kernels import choose, using\nwith using('numba', {}): print(choose().name)"
    environment = os.environ | {"NUMBA_CPU_NAME": "sandybridge", "NUMBA_CPU_FEATURES": "+avx", "PYTHONPATH": str(ROOT)}
    refused, taken = (
        subprocess.run([*PYTHON, program.format(slow)], env=environment, capture_output=True, text=True, check=False)
        for slow in (False, True)
    )
    assert "SettingsError: the processor sandybridge has no fused multiply-add" in refused.stderr
    assert (taken.stdout, taken.stderr) == ("numba\n", "")
