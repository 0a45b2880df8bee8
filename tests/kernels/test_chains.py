"""Compiled products, bit by bit, against chains of exact fma; no tile and no processor changes a bit."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import SettingsError
from engine.kernels import Array
from tests.support.backends import normal
from tests.support.fma import chain, fma
from tests.support.repository import ROOT

pytest.importorskip("numba")
from engine.kernels.with_numba import bias_gradient, matrix_gradient, multiply, total, winograd_gradient, winograd_work
from engine.kernels.with_numba.tile import VARIABLE, Tile, choose

SPECIAL = np.array([0, -0.0, 1e-45, -1e-40, 3e38, -3e38, np.inf, 1, -1, 1e-20], np.float32)
SHAPES = ((36, 16, 32, 64), (2, 7, 3, 5), (1, 33, 300, 49), (3, 1, 1, 1), (1, 9, 700, 47), (1, 5, 16, 112))


@settings(max_examples=40)
@given(M=st.integers(1, 9), K=st.integers(1, 300), N=st.integers(1, 60), seed=st.integers(0, 99), plain=st.booleans())
def test_each_value_is_one_chain(M: int, K: int, N: int, seed: int, plain: bool) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = (rng.standard_normal(shape, np.float32) for shape in ((M, K), (K, N), (M, N)))
    if not plain:
        a, b = (np.where(rng.random(x.shape) < 0.1, rng.choice(SPECIAL, x.shape), x) for x in (a, b))
    out = c[None].copy()
    multiply(a[None], b[None], out, True, np.empty(0, np.float32))
    assert same(out[0], chain(a, b, c))
    multiply(a[None], b[None], out, False, np.empty(0, np.float32))
    assert same(out[0], chain(a, b, np.zeros_like(c)))


@settings(max_examples=30)
@given(T=st.integers(1, 5), N=st.integers(1, 90), M=st.integers(1, 9), O=st.integers(1, 60))
def test_a_gradient_is_one_chain_over_place_and_sample(T: int, N: int, M: int, O: int) -> None:  # noqa: E741
    a, b, out = normal(T, N, M), normal(T, N, O, seed=1), np.empty((M, O), np.float32)
    matrix_gradient(a, b, out, N, np.empty(16 * O, np.float32))
    rows, columns = a.reshape(-1, M).T.copy(), b.reshape(-1, O)
    assert np.array_equal(out, chain(rows, columns, np.zeros_like(out)))


def same(x: Array, y: Array) -> bool:
    """Tell whether all bits are the same, one nan being like another."""
    return bool(((x.view(np.uint32) == y.view(np.uint32)) | (np.isnan(x) & np.isnan(y))).all())


@given(h=st.integers(1, 4), w=st.integers(1, 4), N=st.integers(1, 5), C=st.integers(1, 20), seed=st.integers(0, 9))
def test_a_bias_gradient_adds_row_by_row(h: int, w: int, N: int, C: int, seed: int) -> None:
    dy, sums = normal(h, w, N * C, seed=seed), normal(C, seed=seed + 1)
    want = np.add.accumulate(np.vstack([np.zeros_like(sums), dy.reshape(-1, C)]), axis=0)[-1]
    bias_gradient(dy, (0, 0), dy.shape, sums, N, np.empty(C, np.float32))
    assert np.array_equal(sums, want)


@given(size=st.integers(1, 300))
def test_a_loss_adds_one_sample_after_the_other(size: int) -> None:
    x = np.random.default_rng(size).standard_normal(size)
    assert total(x) == np.add.accumulate(x)[-1]


def test_the_oracle_rounds_once() -> None:
    a, one = np.float32(1 + 2**-12), np.float32(1)
    # a * a = 1 + 2^-11 + 2^-24: rounded to float32 first it is 1 + 2^-11, and the sum would be 2^-11.
    assert fma(np.array([a]), np.array([a]), np.array([-one])) == np.float32(2**-11 + 2**-24)
    # 1 + 2^-24 is a tie; what is beyond float64 decides it.
    tiny = np.array([2**-90], np.float32)
    half = np.array([2**-24], np.float32)
    assert fma(tiny, tiny, fma(half, np.array([one]), np.array([one]))) == 1
    x = np.array([1 + 2**-23], np.float32)
    assert fma(x, np.array([2**-24], np.float32), np.array([one])) == np.float32(1 + 2**-23)


def filters_gradient(C: int, O: int, N: int, microbatch: int) -> Array:  # noqa: E741
    """Return the gradient of the filters of a convolution that puts out one row of two tiles."""
    x, dy, ut, dx, dw = (
        normal(6, 10, N * C),
        normal(4, 8, N * O, seed=1),
        normal(36, O, C),
        normal(6, 10, N * C),
        normal(3, 3, C, O),
    )
    work = np.empty(winograd_work((1, 2), N, C, O, microbatch), np.float32)
    winograd_gradient(x, N, dy, (0, 0), np.empty((0, 0, 0), np.uint8), (4, 8), ut, dx, dw, microbatch, work)
    return dw


def digest_of_products() -> str:
    """Return a digest of products of ragged shapes: `python -m tests.kernels.test_chains` prints it."""
    digest = hashlib.sha256()
    for _, M, N, O in SHAPES:  # noqa: E741
        out = np.empty((M, O), np.float32)
        matrix_gradient(normal(1, N, M), normal(1, N, O, seed=1), out, 3, np.empty(16 * M * O * 9, np.float32))
        digest.update(out.tobytes())
    digest.update(filters_gradient(22, 37, 50, 3).tobytes())
    for G, M, K, N in SHAPES:
        out = normal(G, M, N, seed=2)
        for more in (True, False):
            multiply(normal(G, M, K), normal(G, K, N, seed=1), out, more, np.empty(0, np.float32))
            digest.update(out.tobytes())
    return digest.hexdigest()


@pytest.mark.check
@pytest.mark.computes
@pytest.mark.parametrize(
    "environment",
    [
        *({VARIABLE: tile} for tile in ("4x3x4", "4x3x8", "8x3x16", "12x2x16", "6x2x8", "1x1x1", "5x4x2")),
        {"NUMBA_CPU_NAME": "haswell"},
        {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+fma"},
    ],
    ids=str,
)
def test_no_tile_and_no_processor_changes_a_bit(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.kernels.test_chains"]
    told = subprocess.run(command, env=os.environ | environment, cwd=ROOT, check=True, capture_output=True, text=True)
    assert json.loads(told.stdout) == digest_of_products()


@pytest.mark.parametrize("wrong", ["8", "8x3", "0x3x8", "4x3x5", "4x3x8x1", "axbxc", "-4x3x8", "17x1x8"])
def test_a_tile_that_is_none(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(SettingsError, match="GRADSUM_TILE is"):
        choose()
    monkeypatch.setenv(VARIABLE, "4x3x8")
    assert choose() == Tile(4, 3, 8)


if __name__ == "__main__":
    print(json.dumps(digest_of_products()))
