"""How kernels are compiled: once, cached on disk, without the GIL, without reordering or assuming away NaN and infinity."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.compiler import Compiler

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"nsz", "contract"}}
COMPILED: list[Any] = []  # every kernel of the backend, for `compilations`


class NoAlias(Compiler):
    """A compiler that may rely on array arguments not overlapping.

    Without that knowledge LLVM vectorises no loop over more than about five arrays.
    """

    def define_pipelines(self) -> Any:
        """Set the flag, then do as always."""
        self.state.flags.noalias = True
        return super().define_pipelines()


def kernel(function: F) -> F:
    """Compile an operation of the table. Its arguments never overlap."""
    return _compiled(function)


def inner(function: F) -> F:
    """Compile an inner loop, over slices that do not overlap: each slice is an argument of its own for this reason."""
    return _compiled(function)


def compilations() -> int:
    """Return how many kernels this process compiled itself because they were not in the cache."""
    return sum(sum(f.stats.cache_misses.values()) for f in COMPILED)


def _compiled(function: F) -> F:
    dispatcher = numba.njit(pipeline_class=NoAlias, **OPTIONS)(function)
    COMPILED.append(dispatcher)
    return cast(F, dispatcher)
