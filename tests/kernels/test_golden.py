"""The golden digest: it stands for every operation, and notices whatever changes a bit of one."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from engine.compute.arithmetic import check
from engine.errors import GradsumError
from engine.kernels import Array, Backend, choose, numpy_backend
from engine.kernels import exact as exactly
from engine.kernels.golden import GOLDEN, count, differing, digest
from engine.kernels.golden.calls import calls
from tests.support.backends import BACKENDS

NO_OPERATION = {
    "about",
    "cached",
    "compilations",
    "name",
    "ordered",
    "own_bits",
    "stem_work",
    "whole_rows",
    "winograd_work",
}
OPERATIONS = sorted({name for name in dir(Backend) if not name.startswith("_")} - NO_OPERATION)


def changed(**operations: Callable[..., Any]) -> Backend:
    """Return the exact kernels but for these operations."""
    return cast(Backend, SimpleNamespace(**{name: getattr(exactly, name) for name in exactly.__all__} | operations))


def test_every_operation_is_called() -> None:
    assert {call.operation for call in calls()} == set(OPERATIONS)
    assert count() > 2 * len(OPERATIONS)


def test_the_exact_kernels_give_the_digest_in_the_source() -> None:
    assert digest(exactly) == GOLDEN
    check(exactly)


@pytest.mark.skipif(len(BACKENDS) == 1, reason="numba is not installed")
def test_so_do_the_compiled_ones() -> None:
    compiled = choose("numba")
    assert digest(compiled) == GOLDEN
    assert differing(compiled, exactly) == []


def last_bit(operation: str) -> Callable[..., Any]:
    """Return the operation, but for the last bit of the first number of what it writes or returns."""

    def wrong(*arguments: Any) -> Any:
        before = [a.copy() if isinstance(a, np.ndarray) else None for a in arguments]
        returned = getattr(exactly, operation)(*arguments)
        for was, array in zip(before, arguments, strict=True):
            if was is not None and array.flags.writeable and was.tobytes() != array.tobytes():
                array[(0,) * (array.ndim - 1)][:1].view(np.uint8)[0] ^= 1
                return returned
        return np.nextafter(returned, np.inf) if isinstance(returned, float) else returned ^ (1 << 40)

    return wrong


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "moments"])
def test_one_bit_is_noticed_and_the_operation_named(operation: str) -> None:
    named = differing(changed(**{operation: last_bit(operation)}), exactly)
    assert operation in named
    assert len(named) <= 2, "one more may be given what it has written: the gradient"


def two_roundings(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
    """Multiply and add, rounding twice: what a processor without fused multiply-add does."""
    if not more:
        out.fill(0)
    for k in range(a.shape[2]):
        out += a[:, :, k, None] * b[:, k, None, :]


def by_blas(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
    out[...] = a @ b + (out if more else 0)


def flushed(w: Array, g: Array, *rest: Any) -> None:
    exactly.sgd(w, g, *rest)
    w[np.abs(w) < np.finfo(np.float32).tiny] = 0


def another_zero(x: Array, y: Array, mask: Any) -> None:
    exactly.relu(x, y, mask)
    np.copyto(y, x, where=(x == 0) & np.signbit(x))


OTHERS: dict[str, dict[str, Callable[..., Any]]] = {
    "rounded twice": {"multiply": two_roundings},
    "BLAS": {"multiply": by_blas},
    "zero for denormals": {"sgd": flushed},
    "another zero": {"relu": another_zero},
    "numpy's functions": {"softmax_cross_entropy": numpy_backend().softmax_cross_entropy},
    "another order": {"bias_gradient": numpy_backend().bias_gradient},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_arithmetic_is_refused_with_both_sides_and_what_differs(name: str) -> None:
    other = changed(about=lambda: "kernels of the test", **OTHERS[name])
    with pytest.raises(GradsumError) as refused:
        check(other)
    text = str(refused.value)
    assert refused.value.exit_code == 1
    assert f"(kernels of the test) give the digest {digest(other)[:12]}" in text
    assert GOLDEN[:12] in text
    assert f"; wrong: {', '.join(sorted(OTHERS[name]))}. " in text
    assert "GRADSUM_BACKEND=exact" in text
    assert "\n" not in text


def test_a_backend_whose_bits_are_its_own_is_not_compared() -> None:
    assert numpy_backend().own_bits
    check(numpy_backend())
