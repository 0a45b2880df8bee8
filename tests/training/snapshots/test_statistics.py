"""Statistics and histograms of any array on every backend, against the definitions in wider numbers."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.kernels import Backend
from engine.training.snapshots.statistics import BINS, histogram, statistics
from tests.support.backends import each_backend

Array = NDArray[np.float32]

FLOATS = arrays.arrays(
    np.float32, st.integers(1, 300), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)
)


@each_backend
@given(array=FLOATS)
@example(array=np.array([3e38, 3e38, -3e38], np.float32))
@example(array=np.full(5, 1e-45, np.float32))
@example(array=np.arange(1000, dtype=np.float32))
@example(array=np.float32(1e7) + np.arange(9, dtype=np.float32))
def test_statistics_of_any_array(kernels: Backend, array: Array) -> None:
    wide = array.astype(np.longdouble)
    with np.errstate(all="ignore"):
        want = (
            wide.mean(),
            np.sqrt(((wide - wide.mean()) ** 2).mean()),
            array.min(),
            array.max(),
            np.sqrt((wide**2).sum()),
            (array == 0).mean(),
        )
    scale = float(np.abs(array).max())
    tolerance = 1e-9 * scale if np.isfinite(scale) else 0.0
    found = statistics(array, kernels)
    assert found == pytest.approx([float(x) for x in want], rel=1e-9, abs=tolerance, nan_ok=True)


@each_backend
@given(array=FLOATS)
@example(array=np.array([0.0, 1.0], np.float32))
@example(array=np.arange(1000, dtype=np.float32))
@example(array=np.array([3e38, -3e38, 0.0], np.float32))
@example(array=np.array([1e-45, 0.0], np.float32))
@example(array=np.array([np.nan, np.inf], np.float32))
def test_histogram_of_any_array(kernels: Backend, array: Array) -> None:
    low, high, text = histogram(array, kernels)
    counts = json.loads(text)
    finite = array[np.isfinite(array)].astype(float)
    assert len(counts) == BINS
    assert sum(counts) == len(finite)
    if not len(finite):
        assert low is high is None
        return
    assert (low, high) == (finite.min(), finite.max())
    if low == high:
        assert counts[0] == len(finite)
        return
    place = (finite - finite.min()) * (BINS / (finite.max() - finite.min()))
    for edge in range(1, BINS):  # how many are below each edge, but for those that are right at it
        below = sum(counts[:edge])
        assert (place < edge - 1e-4).sum() <= below <= (place < edge + 1e-4).sum()
