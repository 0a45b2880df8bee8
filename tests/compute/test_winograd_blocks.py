"""Kernels cut into blocks of 3 x 3: beside double precision, and the same bits by compiled and exact kernels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels import Backend, choose
from engine.nn.layers import Conv2d, Dense, Flatten, Layer, MaxPool2d, Relu, Residual
from engine.nn.model import Model
from tests.support.backends import BACKENDS, each_backend
from tests.support.programs import Case, case, check_against_reference

# docs/arithmetic.md says which are cut: those with five taps or more for each block.
CUT = (5, 6, 7, (5, 7), (3, 5), (5, 3), (3, 4), (2, 3), (2, 6), (4, 5))
NOT_CUT = (4, 2, (1, 5), (5, 1), (2, 4))


def network(shape: tuple[int, int, int], *layers: Layer) -> Model:
    return Model((Conv2d(shape[2], 1), *layers, Flatten(), Dense(3)), shape)


def kernels_of(c: Case) -> list[str]:
    return [operation.kernel for operation in c.program.operations()]


@each_backend
@pytest.mark.parametrize("padding", [0, 1, "same"])
@pytest.mark.parametrize("kernel", CUT)
def test_beside_double_precision(kernels: Backend, kernel: Any, padding: Any) -> None:
    c = case(network((9, 11, 8), Conv2d(10, kernel, padding=padding)), 5, kernels, microbatch=2)
    assert kernels_of(c)[1] == "WinogradBlocks"
    check_against_reference(c)


@pytest.mark.parametrize("kernel", NOT_CUT)
def test_of_few_taps_a_block_is_not_worth_it(kernel: Any) -> None:
    assert kernels_of(case(network((9, 11, 8), Conv2d(8, kernel)), 1, BACKENDS[0]))[1] == "Convolution"


@pytest.mark.parametrize(("filters", "stride", "padding"), [(7, 1, 0), (8, 2, 0), (8, (1, 2), 0), (8, 1, 0)])
def test_nor_with_few_filters_or_outputs_or_a_stride(filters: int, stride: Any, padding: int) -> None:
    shape = (6, 11, 8)  # of which 5 x 5 puts out two rows
    c = case(network(shape, Conv2d(filters, 5, stride, padding)), 1, BACKENDS[0])
    assert kernels_of(c)[1] == "Convolution"


@each_backend
@settings(max_examples=40)
@given(
    kernel=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    padding=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    shape=st.tuples(st.integers(8, 14), st.integers(8, 14), st.integers(8, 9)),
    filters=st.integers(8, 17),
    samples=st.integers(1, 5),
    microbatch=st.integers(1, 5),
    first=st.booleans(),
)
def test_any_kernel(
    kernels: Backend,
    kernel: tuple[int, int],
    padding: tuple[int, int],
    shape: tuple[int, int, int],
    filters: int,
    samples: int,
    microbatch: int,
    first: bool,
) -> None:
    padding = min(padding[0], kernel[0] - 1), min(padding[1], kernel[1] - 1)
    layers = Conv2d(filters, kernel, 1, padding), Flatten(), Dense(3)
    model = Model(layers if first else (Conv2d(shape[2], 1), *layers), shape)
    check_against_reference(case(model, samples, kernels, microbatch=microbatch))


@each_backend
def test_several_in_a_network(kernels: Backend) -> None:
    """Two of one shape, whose gradients take the same scratch, one of another padding, one within another layer."""
    same = Conv2d(9, 5, padding="same")
    layers = same, Relu(), same, Residual(same), MaxPool2d(), Conv2d(8, 5, padding=4, bias=False)
    check_against_reference(case(network((12, 10, 9), *layers), 7, kernels, microbatch=3))


@each_backend
def test_gradients_that_lie_otherwise_take_other_scratch(kernels: Backend) -> None:
    """Both convolutions put out (8, 12, 8), with one row and column around, in planes of one size."""
    layers = Conv2d(8, (3, 6), 1, (1, 4)), Conv2d(8, (4, 1)), Conv2d(8, (6, 3), 1, (4, 1))
    check_against_reference(case(network((8, 9, 8), *layers), 3, kernels))


@each_backend
def test_nothing_is_left_of_what_was_before(kernels: Backend) -> None:
    same = Conv2d(9, 5, padding="same")
    c = case(network((9, 9, 9), same, Conv2d(9, 5, padding=3), same), 3, kernels)
    first, loss, correct = c.gradient()
    c.program.gradient(np.full_like(c.images, np.nan), c.labels, (), np.empty_like(first))
    again = c.gradient()
    assert (first.tobytes(), loss, correct) == (again[0].tobytes(), *again[1:])


@pytest.mark.skipif(BACKENDS[-1].name != "numba", reason="numba is not installed")
@pytest.mark.parametrize("kernel", [5, (2, 6)])
def test_compiled_and_exact_kernels_give_the_same_bits(kernel: Any) -> None:
    model = network((7, 6, 8), Conv2d(9, kernel, padding=1), Conv2d(8, kernel, padding="same"))
    ours, theirs = (case(model, 3, kernels, microbatch=2).gradient() for kernels in (BACKENDS[-1], choose("exact")))
    assert ours[0].tobytes() == theirs[0].tobytes()
    assert ours[1:] == theirs[1:]
