"""What bytes become."""

import numpy as np

from engine.kernels.table import Array, Bytes


def translate(values: Bytes, tables: Array, out: Array) -> None:
    for c, table in enumerate(tables):
        out[:, c] = np.take(table, values[:, c])
