"""The kernel backends that tests run on, and arrays to feed them."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.kernels import Array, Backend, choose

BACKENDS: list[Backend] = [choose(name) for name in ("numpy", "numba") if name == "numpy" or find_spec("numba")]
each_backend = pytest.mark.parametrize("kernels", BACKENDS, ids=[b.name for b in BACKENDS])


def floats(*values: object) -> Array:
    """Return `values` as float32."""
    return np.array(values, np.float32)


def ints(*values: int) -> NDArray[np.int32]:
    """Return `values` as labels."""
    return np.array(values, np.int32)


def normal(*shape: int, seed: int = 0) -> Array:
    """Return standard normal float32 values."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def plane_with(image: Array, start: int, extra: int, first: int, more: int) -> Array:
    """Return a plane that holds `image` at the place (start, first), with `extra` rows and columns, `more` values."""
    h, w, L = image.shape
    plane = np.full((h + start + extra, w + start + extra, L + first + more), 7, np.float32)
    plane[start : start + h, start : start + w, first : first + L] = image
    return plane
