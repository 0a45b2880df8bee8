"""Every operation of the table compiled by numba: each loop nest reads and writes its arrays once."""

from engine.kernels.with_numba.jit import about, cached, compilations  # first: it hides scipy from numba

# isort: split
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
from engine.kernels.with_numba.bytes import translate
from engine.kernels.with_numba.convolution import add_bias, bias_gradient, col2im, im2col
from engine.kernels.with_numba.elementwise import gelu, gelu_gradient, relu, relu_gradient
from engine.kernels.with_numba.loss import mean_squared_error, softmax_cross_entropy, squared_error_of_values
from engine.kernels.with_numba.measures import histogram, moments, norm, total
from engine.kernels.with_numba.norms import normalise, normalise_gradient
from engine.kernels.with_numba.optimizers import adam, momentum, nesterov, rmsprop, sgd
from engine.kernels.with_numba.philox import dropout_mask, philox
from engine.kernels.with_numba.pooling import max_pool, max_pool_gradient
from engine.kernels.with_numba.products import matrix_gradient, multiply
from engine.kernels.with_numba.stem import stem
from engine.kernels.with_numba.stem_gradient import stem_gradient, stem_work
from engine.kernels.with_numba.taps import convolve, convolve_filter_gradient, convolve_input_gradient
from engine.kernels.with_numba.transpose import transpose
from engine.kernels.with_numba.winograd import winograd, winograd_filter, winograd_gradient, winograd_work
from engine.kernels.with_numba.words import look, ordered, publish

name = "numba"
own_bits = False
whole_rows = True

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
