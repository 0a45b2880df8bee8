"""How kernels are compiled: once, cached on disk, without the GIL, and NaN and infinity behave as IEEE 754 says."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar, cast


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let the import of these modules raise ImportError within the block, as where they are not installed."""
    loaded = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None is how Python marks a module that cannot be imported
    try:
        yield
    finally:
        for name, module in loaded.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


# numba does without these. It takes scipy.linalg for np.dot, which no kernel uses: 0.2 s and 13 MB in every process.
# coverage, where that is installed, would be 0.05 s more.
UNUSED = ("scipy", "scipy.linalg", "coverage")

with _hidden(*UNUSED):
    import llvmlite
    import numba
    from numba.core.compiler import Compiler

    from engine.kernels.with_numba.disk import SOURCES, cache_of, folder
    from engine.kernels.with_numba.tile import choose, processor

F = TypeVar("F", bound=Callable[..., Any])

COMPILED: list[Any] = []  # every kernel of the backend, for `compilations`
CALLED: set[Any] = set()  # those that others may call


class NoAlias(Compiler):
    """A compiler that may rely on array arguments not overlapping.

    Without that knowledge LLVM vectorises no loop over more than about five arrays.
    """

    def __init__(self, *arguments: Any) -> None:
        if "numba.np.arraymath" not in sys.modules:
            with _hidden(*UNUSED):
                import numba.np.arraymath  # noqa: F401, PLC0415 - needed where something is compiled, and takes long
        super().__init__(*arguments)  # type: ignore[no-untyped-call]

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()  # type: ignore[no-untyped-call]


def kernel(function: F) -> F:
    """Compile an operation of the table, which no other compiled function calls. Its arguments never overlap."""
    return _compiled(function, called=False)


def inner(function: F) -> F:
    """Compile an inner loop, over slices that do not overlap: each slice is an argument of its own for this reason."""
    return _compiled(function, called=True)


def plain(function: F) -> F:
    """Return the Python function that an inner loop was compiled from."""
    return cast(F, cast(Any, function).py_func)


def about() -> str:
    """Return the versions of the compiler, what it compiles for (with a digest of the features), and the tile."""
    _, name, features = processor()
    target = f"{name} ({sha256(features.encode()).hexdigest()[:8]})"
    return f"numba {numba.__version__} with llvmlite {llvmlite.__version__} for {target} in tiles of {choose()}"


def compilations() -> int:
    """Return how many kernels this process compiled itself because they were not in the cache."""
    return sum(sum(f.stats.cache_misses.values()) for f in COMPILED)


def cached() -> bool:
    """Tell whether the cache has files of every kernel, in the versions of this source."""
    there = {path.name.rpartition("-")[0] for path in folder().glob(f"*_{SOURCES}-*.nbi")}
    return {f"{f.__module__.rpartition('.')[2]}.{f.__qualname__}" for f in COMPILED} <= there


def _compiled(function: F, *, called: bool) -> F:
    function.__qualname__ += f"_{SOURCES}"
    # No fast-math flag, not even to contract a * b + c to one instruction: what is rounded, and in which order sums are
    # taken, is as the source says, whatever the processor.
    dispatcher: Any = numba.njit(pipeline_class=NoAlias, nogil=True, error_model="numpy")(function)
    dispatcher._cache = cache_of(function, called=called)  # what `cache=True` does, with numba's own choice of a folder
    COMPILED.append(dispatcher)
    if called:
        CALLED.add(dispatcher)
    return cast(F, dispatcher)
