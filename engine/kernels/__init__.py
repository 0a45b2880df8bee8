"""The numeric operations of a program: one table, several backends. See `table` for every operation."""

from engine.kernels.choose import NAMES, choose, numpy_backend
from engine.kernels.table import Array, Backend

__all__ = ["NAMES", "Array", "Backend", "choose", "numpy_backend"]
