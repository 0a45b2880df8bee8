"""Compiles every kernel once, so that processes started later find them in the cache: see `engine.launch.compilers`."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.compute import fingerprint
from engine.kernels import Backend, choose
from engine.kernels.golden import count, digest, use
from engine.system.places import kernels_folder

CALLED, DONE = ".", "\n"  # what a process that compiles for another one tells it


def mark() -> Path:
    """Return the file that says that this program's kernels were compiled for this numba, Python and processor."""
    made_of = f"{fingerprint.fingerprint()} {fingerprint.libraries()} {sys.version} {fingerprint.PACKAGE}"
    return kernels_folder() / f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.compiled"


def is_compiled() -> bool:
    """Tell whether processes started now will find the kernels compiled; others than numba's always are."""
    backend = choose()
    return backend.name != "numba" or (mark().exists() and backend.cached())


def compile_kernels(backend: Backend, progress: Callable[[int, int], object] = lambda *_: None) -> bool:
    """Use every operation of `backend`, with all types of arguments; return whether any had to be compiled.

    That takes half a minute; later calls, in this or another process on this machine, return False within a second.
    """
    before, done, total = backend.compilations(), 0, count()

    def called() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    digest(backend, called)
    return backend.compilations() > before


def compile_parts(told: Iterable[str], tell: Callable[[str], object]) -> None:
    """Compile those of `golden.parts` that are told, a line each; tell CALLED after each call, and DONE at its end."""
    for line in told:
        use(choose(), line.strip(), lambda: tell(CALLED))
        tell(DONE)
