"""What is asked of allocator and system, each in a process of its own."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RESIDENT = """
from pathlib import Path
def resident(kind):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if kind in line)
"""

RELEASE = """
import numpy as np
from engine.kernels.choose import numba_backend
from engine.system.allocator import release_compiler
backend, x = numba_backend(), np.linspace(-3, 3, 1000, dtype=np.float32)
before, after = np.empty_like(x), np.empty_like(x)
backend.relu(x, before, np.empty(1000, bool))
loaded = resident("RssFile")
release_compiler()
print(loaded, resident("RssFile"))
backend.relu(x, after, np.empty(1000, bool))
assert (before == after).all() and (after == x.clip(0)).all()
backend.sgd(x, after, before, 1.0, 1.0, np.empty(10, np.float32))  # another kernel, for which LLVM is needed again
"""

KEEP = """
from engine.system.allocator import keep_freed_memory
{call}
blocks = [bytearray(8_000_000) for _ in range(5)]
full = resident("RssAnon")
del blocks
print(full, resident("RssAnon"))
"""


def numbers(program: str) -> tuple[int, int]:
    """Run `program` and return the two numbers (KiB) that it prints."""
    found = subprocess.run([sys.executable, "-c", RESIDENT + program], capture_output=True, text=True, check=True)
    first, second = map(int, re.findall(r"\d+", found.stdout))
    return first, second


def test_the_pages_of_the_compiler_are_given_back_and_kernels_go_on_working() -> None:
    pytest.importorskip("numba")
    before, after = numbers(RELEASE)
    assert before - after > 20_000


def test_freed_memory_is_kept_for_the_next_step() -> None:
    full, left = numbers(KEEP.format(call=""))
    assert full - left > 30_000, "without it, large blocks go back to the system"
    full, left = numbers(KEEP.format(call="keep_freed_memory()"))
    assert full - left < 10_000
