"""What bytes become, compiled."""

from engine.kernels.table import Array, Bytes
from engine.kernels.with_numba.jit import inner, kernel


@kernel
def translate(values: Bytes, tables: Array, out: Array) -> None:
    C = len(tables)
    if C == 1:
        look_up(values.reshape(-1), tables[0], out.reshape(-1))
        return
    for n in range(len(values)):
        for c in range(C):
            out[n, c] = tables[c, values[n, c]]


@inner
def look_up(values: Bytes, table: Array, out: Array) -> None:
    """Set out = table[values]."""
    for k in range(out.size):
        out[k] = table[values[k]]
