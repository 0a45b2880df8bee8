"""Training gives the same bits whatever the processor, the tile, and what BLAS and numpy make of the processor."""

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from tests.support.repository import ROOT

pytest.importorskip("numba")
from engine.kernels.with_numba.tile import VARIABLE

STEPS = 3
OTHERS = [
    {VARIABLE: "4x3x4"},
    {VARIABLE: "4x3x8"},
    {VARIABLE: "8x3x16"},
    {"NUMBA_CPU_NAME": "haswell"},
    {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+fma,+avx2"},
    {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+fma"},
    {"OPENBLAS_CORETYPE": "Sandybridge"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4"},
]


@cache
def digest(model: str, **environment: str) -> str:
    """Return the digest of the parameters after a few steps."""
    command = [sys.executable, "-m", "gradsum", "train", "--workers", "0", "--steps", str(STEPS), "--model", model]
    done = subprocess.run(
        [*command, "--quiet", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "GRADSUM_BACKEND": "numba"} | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found: str = json.loads(done.stdout.splitlines()[-1])["params_sha256"]
    return found


@pytest.mark.check
@pytest.mark.parametrize("environment", OTHERS, ids=str)
def test_any_processor_gives_the_same_bits(environment: dict[str, str]) -> None:
    for model in ("letters", "lenet", "mlp", "resnet8", "vgg7"):
        assert digest(model, **environment) == digest(model)
