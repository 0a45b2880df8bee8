"""Words through which processes tell one another what is written."""

from typing import Any

import numpy as np
import pytest

from engine.kernels import Backend
from tests.support.backends import each_backend


@each_backend
def test_what_is_published_is_seen(kernels: Backend) -> None:
    words = np.zeros(4, np.int64)
    for place, value in ((0, 1), (3, 2**63 - 1), (1, 5), (3, 0)):
        kernels.publish(words, place, value)
        assert kernels.look(words, place) == value == words[place]
    assert words.tolist() == [1, 5, 0, 0]


def test_compiled_words_are_written_by_release_and_read_by_acquire() -> None:
    """A processor such as x86 keeps the order by itself and shows nothing, so it is read in LLVM's language."""
    numba = pytest.importorskip("numba")
    from engine.kernels.with_numba import words

    array: Any = np.zeros(1, np.int64)
    compiled: list[Any] = [words.publish, words.look]
    publish, look = (numba.njit(operation.py_func) for operation in compiled)
    publish(array, 0, look(array, 0))
    for operation, said, order in ((publish, "store atomic i64", "release"), (look, "load atomic i64", "acquire")):
        (code,) = operation.inspect_llvm().values()
        lines = [line for line in code.splitlines() if said in line]
        assert lines
        assert all(order in line for line in lines)
