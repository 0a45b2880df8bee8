"""Convolution of stride 1 tap by tap, by exact products."""

from engine.kernels.exact.products import matrix_gradient, multiply
from engine.kernels.with_numpy.taps import Taps

TAPS = Taps(multiply, matrix_gradient)
convolve, convolve_input_gradient = TAPS.convolve, TAPS.convolve_input_gradient
convolve_filter_gradient = TAPS.convolve_filter_gradient
