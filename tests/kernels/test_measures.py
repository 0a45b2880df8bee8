"""The norm of an array: against that of Python, and whatever is in it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.kernels import Backend
from tests.support.backends import each_backend

FLOATS = st.floats(width=32) | st.sampled_from([3e38, -3e38, 1e-30, 1e-42, math.inf, -math.inf, math.nan])


@each_backend
@given(hnp.arrays(np.float32, st.integers(0, 150), elements=FLOATS))
def test_a_norm_is_that_of_float64_and_finite_exactly_if_all_is(
    kernels: Backend, vector: "np.ndarray[tuple[int], np.dtype[np.float32]]"
) -> None:
    wide = [float(x) for x in vector]
    if all(math.isfinite(x) for x in wide):
        assert kernels.norm(vector) == pytest.approx(math.hypot(*wide), rel=1e-12)
    else:
        assert not math.isfinite(kernels.norm(vector))


@each_backend
@pytest.mark.parametrize("value", [3e38, 1e-40, 1.0])
def test_the_norm_of_a_long_vector(kernels: Backend, value: float) -> None:
    length = 2**17 + 7
    exact = float(np.float32(value)) * math.sqrt(length)
    assert kernels.norm(np.full(length, value, np.float32)) == pytest.approx(exact, rel=1e-9)
