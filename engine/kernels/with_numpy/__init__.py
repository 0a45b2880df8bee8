"""Every operation of the table in numpy, with all temporaries in buffers of the caller."""

from engine.kernels.philox import philox
from engine.kernels.with_numpy.about import about
from engine.kernels.with_numpy.activations import (
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
from engine.kernels.with_numpy.averages import average_pool, average_pool_gradient
from engine.kernels.with_numpy.bytes import translate
from engine.kernels.with_numpy.convolution import add_bias, bias_gradient, col2im, im2col
from engine.kernels.with_numpy.dropout import dropout_mask
from engine.kernels.with_numpy.elementwise import gelu, gelu_gradient, relu, relu_gradient
from engine.kernels.with_numpy.loss import mean_squared_error, softmax_cross_entropy, squared_error_of_values
from engine.kernels.with_numpy.measures import histogram, moments, norm, total
from engine.kernels.with_numpy.norms import normalise, normalise_gradient
from engine.kernels.with_numpy.optimizers import adam, momentum, nesterov, rmsprop, sgd
from engine.kernels.with_numpy.pooling import max_pool, max_pool_gradient
from engine.kernels.with_numpy.products import matrix_gradient, multiply, transpose
from engine.kernels.with_numpy.stem import stem, stem_gradient, stem_work
from engine.kernels.with_numpy.taps import convolve, convolve_filter_gradient, convolve_input_gradient
from engine.kernels.with_numpy.winograd import winograd, winograd_filter, winograd_gradient, winograd_work
from engine.kernels.with_numpy.words import look, ordered, publish

name = "numpy"
own_bits = True
whole_rows = False  # BLAS takes either


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
