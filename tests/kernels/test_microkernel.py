"""The inner loop of a product as it is written in LLVM's language, compiled here: whole panels, and edges."""

from typing import Any

import numpy as np
import pytest

from engine.kernels import Array
from tests.support.fma import chain

pytest.importorskip("numba")
from numba import njit

from engine.kernels.with_numba.microkernel import panel, pointer

ROWS, K, LANES = 5, 7, 4


@pytest.mark.parametrize("most", [0, 3])  # 3: the last row is not done alone
@pytest.mark.parametrize(("edge", "columns"), [(False, LANES), (True, LANES - 1)])
def test_a_panel_is_chains_of_fma_and_an_edge_touches_no_other_column(edge: bool, columns: int, most: int) -> None:
    kernel = panel(2, 1, LANES, edge, most)

    def product(a: Array, b: Array, c: Array, rows: int, count: int, columns: int, more: bool) -> None:
        kernel(pointer(a, 0), a.shape[1], 1, pointer(b, 0), LANES, pointer(c, 0), LANES, rows, count, columns, more)

    compiled: Any = njit(product)
    rng = np.random.default_rng(3)
    a, b, c = (rng.standard_normal(shape, np.float32) for shape in ((ROWS, K), (K, LANES), (ROWS, LANES)))
    for more in (True, False):
        out = c.copy()
        compiled(a, b, out, ROWS, K, columns, more)
        wanted = chain(a, b, c if more else np.zeros_like(c))
        assert out[:, :columns].tobytes() == wanted[:, :columns].tobytes()
        assert out[:, columns:].tobytes() == c[:, columns:].tobytes()
