"""All calls, and what becomes of them."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.kernels.golden import (
    activations,
    averages,
    bytes,
    convolution,
    elementwise,
    loss,
    measures,
    norms,
    optimizers,
    philox,
    pooling,
    products,
    stem,
    taps,
    winograd,
    words,
)
from engine.kernels.golden.inputs import Call, Inputs
from engine.kernels.table import Backend

FILES = (
    *(activations, averages, bytes, convolution, elementwise, loss, measures, norms, optimizers, philox, pooling),
    *(products, stem, taps, winograd, words),
)
FIRST = (winograd, norms, stem, products, taps)  # those that take longest to compile
Results = dict[str, str]  # a digest by operation


def calls(files: Sequence[ModuleType] = FILES) -> Iterator[Call]:
    """Yield every call of these files. A file that goes on may use what its last call has written."""
    for file in files:
        yield from file.calls(Inputs())


def count() -> int:
    """Return how many calls there are."""
    return sum(1 for _ in calls())


def parts() -> list[str]:
    """Return names of parts of the calls that need nothing from each other, the one that takes longest first."""
    return [file.__name__ for file in sorted(FILES, key=lambda file: file not in FIRST)]


def use(backend: Backend, part: str, called: Callable[[], object]) -> None:
    """Make all calls of one of `parts`, so that `backend` compiles what it has not. `called` is told after each."""
    _results(backend, called, [file for file in FILES if file.__name__ == part])


def digest(backend: Backend, called: Callable[[], object] = lambda: None) -> str:
    """Return the digest of what `backend` makes of all calls, 64 hex digits. `called` is told after each."""
    found = sha256()
    for operation, said in sorted(_results(backend, called).items()):
        found.update(f"{operation} {said}\n".encode())
    return found.hexdigest()


def differing(a: Backend, b: Backend) -> list[str]:
    """Return the operations of which `a` and `b` do not make the same."""
    ours, theirs = (_results(backend, lambda: None) for backend in (a, b))
    return [operation for operation, said in sorted(ours.items()) if theirs[operation] != said]


def _results(backend: Backend, called: Callable[[], object], files: Sequence[ModuleType] = FILES) -> Results:
    digests: dict[str, Any] = {}
    with np.errstate(all="ignore"):
        for call in calls(files):
            returned = getattr(backend, call.operation)(*call.arguments, *call.scratch)
            found = digests.setdefault(call.operation, sha256())
            written = [argument for argument in call.arguments if isinstance(argument, np.ndarray)]
            for array in (np.array(0 if returned is None else returned, np.float64), *written):
                found.update(_canonical(array).tobytes())
            called()
    return {operation: found.hexdigest() for operation, found in digests.items()}


def _canonical(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array with one NaN for all."""
    return np.where(np.isnan(array), array.dtype.type(np.nan), array) if array.dtype.kind == "f" else array
