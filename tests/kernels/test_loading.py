"""What a process takes in that finds its kernels compiled: their code, not the compiler."""

import inspect
import subprocess
import sys
from typing import Any

import pytest

from engine.kernels import choose
from tests.support.backends import BACKENDS

pytestmark = pytest.mark.skipif(len(BACKENDS) == 1, reason="numba is not installed")

# Compiles what is not there yet, and prints which of the modules it has loaded, and how often it compiled.
PROGRAM = """
import sys
from engine.kernels import choose
from engine.kernels.golden import GOLDEN, digest
backend = choose("numba")
assert digest(backend) == GOLDEN
only_to_compile = ("numba.np.arraymath", "numba.np.linalg", "numba.np.npyimpl", "numba.typed.dictimpl")
unused = ("scipy", "coverage")
print(backend.compilations(), *(name for name in (*only_to_compile, *unused) if name in sys.modules))
"""


def loaded() -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_kernels_that_are_in_the_cache_are_loaded_without_the_compiler() -> None:
    loaded()  # now they are there
    assert loaded() == ["0"]


def test_no_compiled_function_calls_an_operation_declared_as_kernel() -> None:
    """What is kept of one has no LLVM module, so that nothing compiled later could be linked with it."""
    choose("numba")
    from engine.kernels.with_numba.jit import CALLED, COMPILED

    called: set[Any] = set()
    for function in COMPILED:
        names = inspect.getclosurevars(function.py_func)
        called |= {f for f in COMPILED for used in (*names.globals.values(), *names.nonlocals.values()) if used is f}
    assert called, "or this test cannot fail"
    assert [f.py_func.__name__ for f in called if f not in CALLED] == []
