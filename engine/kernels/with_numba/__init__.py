"""Every operation of the table compiled by numba: each loop nest reads and writes its arrays once."""

from engine.kernels.with_numba.activations import (
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
from engine.kernels.with_numba.averages import average_pool, average_pool_gradient
from engine.kernels.with_numba.convolution import add_bias, add_bias_gradient, col2im, im2col
from engine.kernels.with_numba.elementwise import gelu, gelu_gradient, relu, relu_gradient
from engine.kernels.with_numba.jit import about, cached, compilations
from engine.kernels.with_numba.loss import mean_squared_error, softmax_cross_entropy, squared_error_of_values
from engine.kernels.with_numba.measures import histogram, moments, norm, total
from engine.kernels.with_numba.norms import normalise, normalise_gradient
from engine.kernels.with_numba.optimizers import adam, momentum, nesterov, rmsprop, sgd
from engine.kernels.with_numba.philox import dropout_mask, philox
from engine.kernels.with_numba.pooling import max_pool, max_pool_gradient
from engine.kernels.with_numba.products import multiply, multiply_columns
from engine.kernels.with_numba.stem import stem, stem_gradient
from engine.kernels.with_numba.winograd import (
    winograd_filter,
    winograd_filter_gradient,
    winograd_input,
    winograd_input_gradient,
    winograd_output,
    winograd_output_gradient,
    winograd_pool,
    winograd_pool_gradient,
)
from engine.kernels.with_numba.words import look, ordered, publish

name = "numba"
own_bits = False
whole_rows = True
tile_rows = 1  # what belongs to more does not fit into the cache

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
