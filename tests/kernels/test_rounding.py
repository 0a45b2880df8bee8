"""A process that rounds otherwise, or flushes small numbers to zero, is told so before it computes anything."""

import ctypes
import platform
import subprocess
import sys

import pytest

from engine.kernels.rounding import check_rounding
from tests.support.repository import ROOT

UPWARD, FLUSH = {"x86_64": (0x800, (28, 0x8040)), "aarch64": (0x400000, (0, 1 << 24))}.get(
    platform.machine(), (None, (0, 0))
)


def disturb(how: str) -> None:
    """Let this thread round upward, or flush to zero: through the C library's environment of floating point."""
    libm = ctypes.CDLL("libm.so.6")
    if how == "upward":
        libm.fesetround(UPWARD)
        return
    environment, (offset, bits) = (ctypes.c_uint32 * 8)(), FLUSH
    libm.fegetenv(environment)
    environment[offset // 4] |= bits
    libm.fesetenv(environment)


@pytest.mark.skipif(
    UPWARD is None or sys.platform != "linux", reason="knows the registers of Linux on x86 and ARM only"
)
@pytest.mark.parametrize(("how", "said"), [("upward", "round to the nearest"), ("flush", "below 1.2e-38 for zero")])
def test_it_is_refused(how: str, said: str) -> None:
    code = (
        "import numpy as np\nfrom tests.kernels.test_rounding import disturb\nfrom engine.nn.optimizers import SGD\n"
        f"x = np.zeros(4, np.float32)\nstate = SGD().start(4)\nstate.step(x, x, 1.0)\ndisturb({how!r})\n"
        "state.step(x, x, 1.0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"GradsumError: this process {'does not' if how == 'upward' else 'takes numbers'}" in ended.stderr
    assert said in ended.stderr


def test_this_process_is_not() -> None:
    check_rounding()
