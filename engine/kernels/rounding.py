"""Whether this thread computes as IEEE 754 says. A library compiled with -ffast-math changes that when it is loaded."""

import numpy as np

from engine.errors import GradsumError


def _of_bits(*words: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return float32 of these bits: made without arithmetic, which may be what is wrong."""
    return np.array(words, np.uint32).view(np.float32)


# 1 + 2^-25, -1 - 2^-25 and 1 + 3 * 2^-25 are rounded to the nearest: 1, -1 and 1 + 2^-23.
_ADDENDS = _of_bits(0x3F800000, 0xBF800000, 0x3F800000), _of_bits(0x33000000, 0xB3000000, 0x33C00000)
_SUMS = _of_bits(0x3F800000, 0xBF800000, 0x3F800001).tobytes()
# 2^-126 * 1/2 and 2^-149 * 1 are numbers that have fewer digits, not 0.
_FACTORS = _of_bits(0x00800000, 0x00000001), _of_bits(0x3F000000, 0x3F800000)
_PRODUCTS = _of_bits(0x00400000, 0x00000001).tobytes()


def check_rounding() -> None:
    """Raise GradsumError unless sums are rounded to the nearest and small numbers are kept: 2 microseconds."""
    if np.add(*_ADDENDS).tobytes() != _SUMS:
        raise GradsumError(
            "this process does not round to the nearest number, so its results would differ from those of others; "
            "something that it has loaded changed the rounding mode (fesetround)"
        )
    if np.multiply(*_FACTORS).tobytes() != _PRODUCTS:
        raise GradsumError(
            "this process takes numbers below 1.2e-38 for zero, so its results would differ from those of others; a "
            "library that it has loaded, compiled with -ffast-math, changed that (flush-to-zero)"
        )
