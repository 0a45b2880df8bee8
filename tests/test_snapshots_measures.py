"""Statistics of any array, against the definitions in wider numbers."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.snapshots.measures import statistics

Array = NDArray[np.float32]

FLOATS = arrays.arrays(
    np.float32, st.integers(1, 300), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)
)


@given(FLOATS)
@example(np.array([3e38, 3e38, -3e38], np.float32))
@example(np.full(5, 1e-45, np.float32))
def test_statistics_of_any_array(array: Array) -> None:
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
    assert statistics(array) == pytest.approx([float(x) for x in want], rel=1e-9, abs=tolerance, nan_ok=True)
