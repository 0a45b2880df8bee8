"""exp, expm1, log and erf of the exact backend against the C library; the compiled ones have the same bits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.exact.functions import erf, exp, expm1, log
from engine.kernels.table import Doubles

EDGES = [0.0, -0.0, 1e-45, -1e-45, 1.0, -1.0, 3.919, 3.9206, -4.0, 4.1, 1e30, -1e30, math.inf, -math.inf]


def one(x: float) -> Doubles:
    return np.array([x])


def everywhere() -> Doubles:
    """Return 200 values of each exponent of float32, both signs."""
    fractions = np.random.default_rng(0).integers(0, 1 << 23, (1, 200))
    bits = (np.arange(255)[:, None] << 23) | fractions
    x = bits.astype(np.uint32).view(np.float32).astype(np.float64).ravel()
    return np.concatenate([x, -x, EDGES])


def ulps(found: Doubles, wanted: Doubles) -> float:
    """Return the largest error of `found`, rounded to float32, in units of the last place of float32."""
    rounded = found.astype(np.float32).astype(np.float64)
    finite = np.isfinite(rounded) | np.isfinite(wanted.astype(np.float32))
    spacing = np.spacing(np.abs(wanted[finite]).astype(np.float32)).astype(np.float64)
    return float((np.abs(rounded - wanted)[finite] / spacing).max())


@pytest.mark.filterwarnings("ignore:overflow")
def test_expm1() -> None:
    x = everywhere()
    x = x[(x < 88.7) & (x > -700)]
    wanted = np.array([math.expm1(v) for v in x.tolist()])
    found = expm1(x)
    assert ulps(found, wanted) < 0.500001
    np.testing.assert_allclose(found, wanted, rtol=6e-16)


@pytest.mark.filterwarnings("ignore:overflow")
def test_exp_rounded_to_float32() -> None:
    x = everywhere()
    x = x[x < 88.7]  # beyond it float32 has infinity
    assert ulps(exp(x), np.array([math.exp(v) for v in x.tolist()])) < 0.500001
    assert exp(np.array([89.0, 1e30, math.inf])).astype(np.float32).tolist() == [math.inf] * 3


@given(st.floats(-708, 709))
def test_exp_is_almost_right_in_float64(x: float) -> None:
    assert exp(one(x))[0] == pytest.approx(math.exp(x), rel=1e-15)


@given(st.floats(2.0**-1022))
def test_log_is_almost_right_in_float64(x: float) -> None:
    assert log(one(x))[0] == pytest.approx(math.log(x), rel=4e-16, abs=1e-300)


def test_log_has_relative_precision_near_1() -> None:
    x = 1 + np.linspace(-1e-6, 1e-6, 1001)
    np.testing.assert_allclose(log(x), [math.log(v) for v in x.tolist()], rtol=4e-16)


def test_erf_rounded_to_float32() -> None:
    x = everywhere()
    assert ulps(erf(x), np.array([math.erf(v) for v in x.tolist()])) < 0.501
    assert (erf(-x) == -erf(x)).all()


def test_nan_passes() -> None:
    for function in (exp, log, erf):
        assert np.isnan(function(one(math.nan))).all()
