"""Compiles every kernel once, so that processes started later find them in the cache."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from engine.compute import fingerprint
from engine.kernels import Backend, choose
from engine.kernels.golden import count, digest
from engine.system.files import check_writable
from engine.system.places import kernels_folder, unwritable


def mark() -> Path:
    """Return the file that says that this program's kernels were compiled for this numba, Python and processor."""
    made_of = f"{fingerprint.kernels_fingerprint()} {fingerprint.libraries()} {sys.version} {fingerprint.PACKAGE}"
    return kernels_folder() / f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.compiled"


def is_compiled() -> bool:
    """Tell whether processes started now will find the kernels compiled; others than numba's always are."""
    backend = choose()
    return backend.name != "numba" or (mark().exists() and backend.cached())


def compile_all(progress: Callable[[int, int], object]) -> None:
    """Compile the kernels, which takes half a minute, and remember it; SettingsError if the cache cannot be written.

    `progress` is told how many calls of how many are done.
    """
    folder = kernels_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_writable(folder)  # before it takes so long
        compile_kernels(choose(), progress)
        mark().touch()
    except OSError as error:
        raise unwritable(folder, error) from None


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
