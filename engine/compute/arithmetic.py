"""The check that this process computes as all others do: with its kernels, to the last bit."""

from functools import cache

from engine.errors import GradsumError
from engine.kernels import Backend, choose
from engine.kernels.golden import GOLDEN, differing, digest
from engine.kernels.rounding import check_rounding


def check_arithmetic() -> None:
    """Check the backend that `choose` returns, once a process: every process does so before it computes.

    Raises as `check`.
    """
    _check_once(choose().name)


@cache
def _check_once(name: str) -> None:
    check(choose(name))


def check(backend: Backend) -> None:
    """Raise GradsumError unless all operations make of fixed inputs what they make everywhere: 10 ms once loaded.

    A backend with bits of its own has nothing to be compared with.
    """
    check_rounding()
    if backend.own_bits:
        return
    found = digest(backend)
    if found != GOLDEN:
        raise GradsumError(_difference(backend, found))


def _difference(backend: Backend, found: str) -> str:
    """Say which bits are wrong, and what to do."""
    oracle = choose("exact")
    text = (
        f"this process would compute other bits than any other: its kernels ({backend.about()}) give the digest "
        f"{found[:12]}, where gradsum's arithmetic gives {GOLDEN[:12]}"
    )
    if digest(oracle) != GOLDEN:
        return f"{text}; so do the exact ones ({oracle.about()}): numpy, Python or the files of gradsum are not sound"
    wrong = ", ".join(differing(backend, oracle))
    return f"{text}; wrong: {wrong}. Install another version of numba, or compute with GRADSUM_BACKEND=exact, slowly"
