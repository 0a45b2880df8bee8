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
from engine.kernels.exact.convolution import add_bias_gradient, col2im
from engine.kernels.exact.elementwise import gelu, gelu_gradient, relu, relu_gradient
from engine.kernels.exact.loss import mean_squared_error, softmax_cross_entropy, squared_error_of_values
from engine.kernels.exact.measures import moments, norm, total
from engine.kernels.exact.norms import normalise, normalise_gradient
from engine.kernels.exact.pooling import max_pool, max_pool_gradient
from engine.kernels.exact.products import multiply, multiply_columns
from engine.kernels.exact.stem import stem, stem_gradient
from engine.kernels.exact.winograd import (
    winograd_filter,
    winograd_filter_gradient,
    winograd_input,
    winograd_input_gradient,
    winograd_output,
    winograd_output_gradient,
    winograd_pool,
    winograd_pool_gradient,
)
from engine.kernels.philox import philox
from engine.kernels.with_numpy.averages import average_pool, average_pool_gradient
from engine.kernels.with_numpy.convolution import add_bias, im2col
from engine.kernels.with_numpy.dropout import dropout_mask
from engine.kernels.with_numpy.measures import histogram
from engine.kernels.with_numpy.optimizers import adam, momentum, nesterov, rmsprop, sgd
from engine.kernels.with_numpy.words import look, ordered, publish

name = "exact"
own_bits = False
tile_rows = 1 << 10  # all at once: calls are dear
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
    "add_bias_gradient",
    "average_pool",
    "average_pool_gradient",
    "cached",
    "col2im",
    "compilations",
    "dropout_mask",
    "gelu",
    "gelu_gradient",
    "histogram",
    "im2col",
    "leaky_relu",
    "leaky_relu_gradient",
    "look",
    "max_pool",
    "max_pool_gradient",
    "mean_squared_error",
    "moments",
    "momentum",
    "multiply",
    "multiply_columns",
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
    "tanh",
    "tanh_gradient",
    "tile_rows",
    "total",
    "whole_rows",
    "winograd_filter",
    "winograd_filter_gradient",
    "winograd_input",
    "winograd_input_gradient",
    "winograd_output",
    "winograd_output_gradient",
    "winograd_pool",
    "winograd_pool_gradient",
]
