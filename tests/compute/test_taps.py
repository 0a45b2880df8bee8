"""Convolutions of stride 1 that are computed tap by tap."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels import Backend, choose
from engine.nn.layers import Conv2d, Dense, Flatten, GroupNorm, Layer, MaxPool2d, Relu, Residual
from engine.nn.model import Model
from tests.support.backends import BACKENDS, each_backend
from tests.support.programs import case, check_against_reference


def network(shape: tuple[int, int, int], *layers: Layer) -> Model:
    return Model((*layers, Flatten(), Dense(3)), shape)


def kernel_of(shape: tuple[int, int, int], layer: Layer) -> str:
    return case(network(shape, layer), 1, BACKENDS[0]).program.operations()[0].kernel


@pytest.mark.parametrize("kernel", [1, 2, (1, 5), (5, 1), (2, 3)])
def test_which_are(kernel: Any) -> None:
    assert kernel_of((9, 9, 8), Conv2d(2, kernel)) == "ConvolutionByTaps"
    assert kernel_of((9, 9, 7), Conv2d(9, kernel)) == "Convolution"
    assert kernel_of((9, 9, 8), Conv2d(9, kernel, (1, 2))) == "Convolution"


@each_backend
@settings(max_examples=30)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.one_of(st.just("same"), st.tuples(st.integers(0, 3), st.integers(0, 3))),
    shape=st.tuples(st.integers(4, 7), st.integers(4, 7), st.integers(8, 17)),
    filters=st.integers(1, 7),
    samples=st.integers(1, 5),
    microbatch=st.integers(1, 5),
    bias=st.booleans(),
    first=st.booleans(),
)
def test_beside_double_precision(
    kernels: Backend,
    kernel: tuple[int, int],
    padding: Any,
    shape: tuple[int, int, int],
    filters: int,
    samples: int,
    microbatch: int,
    bias: bool,
    first: bool,
) -> None:
    if padding != "same":
        padding = min(padding[0], kernel[0] - 1), min(padding[1], kernel[1] - 1)
    before = () if first else (Conv2d(shape[2], 1),)
    model = network(shape, *before, Conv2d(filters, kernel, 1, padding, bias))
    check_against_reference(case(model, samples, kernels, microbatch=microbatch))


WIDE = Conv2d(12, (1, 5), padding="same")
LAYERS = WIDE, Relu(), Residual((Conv2d(12, (5, 1), padding="same"), GroupNorm(3))), Conv2d(12, 3, padding=1)
NETWORK = network((8, 10, 9), *LAYERS, MaxPool2d(), Conv2d(33, 2, 1, 1, bias=False), Residual(Conv2d(33, 1)))


@each_backend
def test_in_a_network(kernels: Backend) -> None:
    check_against_reference(case(NETWORK, 7, kernels, microbatch=3))


@pytest.mark.skipif(BACKENDS[-1].name != "numba", reason="numba is not installed")
@pytest.mark.parametrize("microbatch", [1, 2, 5])
def test_compiled_and_exact_kernels_give_the_same_bits(microbatch: int) -> None:
    ours, theirs = (
        case(NETWORK, 5, kernels, microbatch=microbatch).gradient() for kernels in (BACKENDS[-1], choose("exact"))
    )
    assert ours[0].tobytes() == theirs[0].tobytes()
    assert ours[1:] == theirs[1:]
