"""What bytes become."""

import numpy as np
import pytest

from engine.kernels import Backend
from tests.support.backends import each_backend, normal


@each_backend
@pytest.mark.parametrize("C", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 301])
def test_every_byte_becomes_what_the_table_of_its_channel_has(kernels: Backend, n: int, C: int) -> None:
    values, tables, out = np.arange(n * C).astype(np.uint8).reshape(n, C), normal(C, 256), np.empty((n, C), np.float32)
    values.flags.writeable = False
    kernels.translate(values, tables, out)
    assert out.tolist() == [[tables[c, value] for c, value in enumerate(row)] for row in values]
