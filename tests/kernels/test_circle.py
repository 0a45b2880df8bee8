"""Sine and cosine against those of the C library, which are within a unit in the last place of the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.circle import sin_cos


@given(st.floats(-1000, 1000))
def test_sine_and_cosine(turns: float) -> None:
    sine, cosine = (float(x) for x in sin_cos(np.array(turns)))
    angle = math.remainder(turns, 1.0) * 2 * math.pi  # the remainder is exact
    assert sine == pytest.approx(math.sin(angle), rel=4e-16, abs=4e-16)
    assert cosine == pytest.approx(math.cos(angle), rel=4e-16, abs=4e-16)


def test_quarters_are_exact() -> None:
    sines, cosines = sin_cos(np.arange(-8, 9) / 4)
    assert sines.tolist() == [0, 1, 0, -1] * 4 + [0]
    assert cosines.tolist() == [1, 0, -1, 0] * 4 + [1]


def test_the_bits_are_those_of_a_scalar_loop() -> None:
    """What docs/arithmetic.md says, in Python's numbers, which no compiler reorders."""
    for turns in np.random.default_rng(1).uniform(-2, 2, 300):
        quarters = math.floor(turns * 4 + 0.5)
        x = (turns - quarters / 4) * (2 * math.pi)
        sine = cosine = 0.0
        for k in range(8, -1, -1):
            sine = sine * (x * x) + (-1) ** k / math.factorial(2 * k + 1)
            cosine = cosine * (x * x) + (-1) ** k / math.factorial(2 * k)
        sine *= x
        want = [(sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine)][quarters % 4]
        assert tuple(float(v) for v in sin_cos(np.array(turns))) == want
