"""How kernels are compiled: once, cached on disk, without the GIL, and NaN and infinity behave as IEEE 754 says."""

import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.compiler import Compiler

# numba loads scipy.linalg for the sake of np.dot, which no kernel uses: 0.2 s and 13 MB in every process.
_linalg = sys.modules.get("scipy.linalg")
sys.modules["scipy.linalg"] = None  # type: ignore[assignment]  # an ImportError, which numba expects where there is no scipy
try:
    import numba.np.arraymath
finally:
    if _linalg is None:
        del sys.modules["scipy.linalg"]
    else:
        sys.modules["scipy.linalg"] = _linalg

F = TypeVar("F", bound=Callable[..., Any])

COMPILED: list[Any] = []  # every kernel of the backend, for `compilations`
# numba compiles a cached kernel anew when its own file changes, but not when a file does whose loops are inlined. So
# the name of a kernel, and of its cache file, tells of them all: old code would give other bits than the source says.
SOURCES = sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()[:8]


class NoAlias(Compiler):
    """A compiler that may rely on array arguments not overlapping.

    Without that knowledge LLVM vectorises no loop over more than about five arrays.
    """

    def define_pipelines(self) -> Any:
        """Set the flag, then do as always."""
        self.state.flags.noalias = True
        return super().define_pipelines()  # type: ignore[no-untyped-call]


def kernel(function: F) -> F:
    """Compile an operation of the table. Its arguments never overlap."""
    return _compiled(function)


def inner(function: F) -> F:
    """Compile an inner loop, over slices that do not overlap: each slice is an argument of its own for this reason."""
    return _compiled(function)


def reduction(function: F) -> F:
    """Compile a sum that may be taken in any order, for LLVM to vectorise: one that no parameter depends on."""
    return _compiled(function, "reassoc")


def compilations() -> int:
    """Return how many kernels this process compiled itself because they were not in the cache."""
    return sum(sum(f.stats.cache_misses.values()) for f in COMPILED)


def cached() -> bool:
    """Tell whether the cache has files of every kernel, in the versions of this source."""
    folders = {Path(f.stats.cache_path) for f in COMPILED}
    there = {path.name.rpartition("-")[0] for folder in folders for path in folder.glob(f"*_{SOURCES}-*.nbi")}
    return {f"{f.__module__.rpartition('.')[2]}.{f.__qualname__}" for f in COMPILED} <= there


def _compiled(function: F, *also: str) -> F:
    function.__qualname__ += f"_{SOURCES}"
    # Contracting a * b + c to one instruction and ignoring the sign of zero keep NaN and infinity as they are.
    options = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"nsz", "contract", *also}}
    dispatcher = numba.njit(pipeline_class=NoAlias, **options)(function)  # type: ignore[call-overload]
    COMPILED.append(dispatcher)
    return cast(F, dispatcher)
