"""The numeric operations of a program: one table, several backends. See `table` for every operation."""

from engine.kernels.choose import NAMES, REMARKS, choose, numpy_backend
from engine.kernels.environment import using
from engine.kernels.table import Array, Backend

__all__ = ["NAMES", "REMARKS", "Array", "Backend", "choose", "numpy_backend", "using"]
