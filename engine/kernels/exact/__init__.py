"""The same arithmetic as the compiled kernels in plain numpy: the same bits, slow, and easy to read.

Operations that round nothing, or where numpy rounds as the rules say, are those of `with_numpy`.
"""

import numpy as np

from engine.kernels.exact.activations import (
    leaky_relu,
    leaky_relu_gradient,
    sigmoid,
    sigmoid_gradient,
    silu,
    silu_gradient,
    softplus,
    tanh,
    tanh_gradient,
)
from engine.kernels.exact.convolution import bias_gradient, col2im
from engine.kernels.exact.elementwise import gelu, gelu_gradient, relu, relu_gradient
from engine.kernels.exact.loss import mean_squared_error, softmax_cross_entropy, squared_error_of_values
from engine.kernels.exact.measures import moments, norm, total
from engine.kernels.exact.norms import normalise, normalise_gradient
from engine.kernels.exact.pooling import max_pool, max_pool_gradient
from engine.kernels.exact.products import matrix_gradient, multiply
from engine.kernels.exact.stem import stem, stem_gradient, stem_work
from engine.kernels.exact.taps import convolve, convolve_filter_gradient, convolve_input_gradient
from engine.kernels.exact.winograd import winograd, winograd_filter, winograd_gradient, winograd_work
from engine.kernels.philox import philox
from engine.kernels.with_numpy.averages import average_pool, average_pool_gradient
from engine.kernels.with_numpy.bytes import translate
from engine.kernels.with_numpy.convolution import add_bias, im2col
from engine.kernels.with_numpy.dropout import dropout_mask
from engine.kernels.with_numpy.measures import histogram
from engine.kernels.with_numpy.optimizers import adam, momentum, nesterov, rmsprop, sgd
from engine.kernels.with_numpy.products import transpose
from engine.kernels.with_numpy.words import look, ordered, publish

name = "exact"
own_bits = False
whole_rows = False


def about() -> str:
    """Return the version of numpy, which must not matter."""
    return f"exact with numpy {np.__version__}"


def cached() -> bool:
    """Return True: there is nothing to compile."""
    return True


def compilations() -> int:
    """Return 0: nothing is ever compiled."""
    return 0


__all__ = [
    "about",
    "adam",
    "add_bias",
    "average_pool",
    "average_pool_gradient",
    "bias_gradient",
    "cached",
    "col2im",
    "compilations",
    "convolve",
    "convolve_filter_gradient",
    "convolve_input_gradient",
    "dropout_mask",
    "gelu",
    "gelu_gradient",
    "histogram",
    "im2col",
    "leaky_relu",
    "leaky_relu_gradient",
    "look",
    "matrix_gradient",
    "max_pool",
    "max_pool_gradient",
    "mean_squared_error",
    "moments",
    "momentum",
    "multiply",
    "name",
    "nesterov",
    "norm",
    "normalise",
    "normalise_gradient",
    "ordered",
    "own_bits",
    "philox",
    "publish",
    "relu",
    "relu_gradient",
    "rmsprop",
    "sgd",
    "sigmoid",
    "sigmoid_gradient",
    "silu",
    "silu_gradient",
    "softmax_cross_entropy",
    "softplus",
    "squared_error_of_values",
    "stem",
    "stem_gradient",
    "stem_work",
    "tanh",
    "tanh_gradient",
    "total",
    "translate",
    "transpose",
    "whole_rows",
    "winograd",
    "winograd_filter",
    "winograd_gradient",
    "winograd_work",
]
