"""Part of the table of operations: those of layers that are done by themselves. `table` says what the letters mean."""

from typing import Protocol

from engine.kernels.arrays import Array, Place


class Activations(Protocol):
    """Functions of each value by itself, and their gradients. All arrays of one operation have one shape.

    tanh is computed in float64 and rounded; all else in float32.
    """

    def tanh(self, x: Array, y: Array) -> None:
        """Set y to the hyperbolic tangent of x."""

    def tanh_gradient(self, y: Array, dy: Array, dx: Array) -> None:
        """Set dx = dy * (1 - y * y)."""

    def sigmoid(self, x: Array, y: Array) -> None:
        """Set y = 1 / (1 + exp(-x))."""

    def sigmoid_gradient(self, y: Array, dy: Array, dx: Array) -> None:
        """Set dx = dy * (y * (1 - y))."""

    def silu(self, x: Array, y: Array) -> None:
        """Set y = x * gate, gate = 1 / (1 + exp(-x))."""

    def silu_gradient(self, x: Array, dy: Array, dx: Array) -> None:
        """Set dx = dy * (gate * (1 + x * (1 - gate)))."""

    def softplus(self, x: Array, y: Array, slope: Array) -> None:
        """Set y = log(1 + exp(x)), and slope = 1 / (1 + exp(-x)), which times dy is dx."""

    def leaky_relu(self, x: Array, y: Array, slope: float) -> None:
        """Set y = x where x > 0, slope * x elsewhere."""

    def leaky_relu_gradient(self, x: Array, dy: Array, dx: Array, slope: float) -> None:
        """Set dx = dy where x > 0, slope * dy elsewhere."""


class Averages(Protocol):
    """Means of windows."""

    def average_pool(self, x: Array, y: Array, place: Place, size: int) -> None:
        """Mean of each size x size window of x [H, W, L], into the plane y at `place`.

        A window is summed up in reading order and divided by the number of its values; those at the lower and right
        edge may be partial. There are ceil(H / size) x ceil(W / size).
        """

    def average_pool_gradient(self, dy: Array, place: Place, dx: Array, size: int) -> None:
        """Write to dx [H, W, L] the gradient: dy (a plane), divided by the number of values of the window."""


class Norms(Protocol):
    """Normalisation of groups of channels of each sample. G = C / groups is how many channels a group has."""

    def normalise(
        self,
        x: Array,
        scale: Array,
        bias: Array,
        groups: int,
        epsilon: float,
        y: Array,
        place: Place,
        stats: Array,
        work: Array,
    ) -> None:
        """Write (x - mean) / sqrt(variance + epsilon) * scale + bias, x [h, w, L], into the plane y at `place`.

        Mean and variance are taken over h w G values. `stats` [2, L] is set to the mean and to 1 / sqrt(variance +
        epsilon) of the group of each value. `scale` and `bias` are [C], `work` has 4 L + 16 values.
        """

    def normalise_gradient(
        self,
        x: Array,
        stats: Array,
        scale: Array,
        groups: int,
        dy: Array,
        place: Place,
        dx: Array,
        dscale: Array,
        dbias: Array,
        microbatch: int,
        work: Array,
    ) -> None:
        """Write to dx [h, w, L] the gradient, dy being a plane, and those of scale and bias to dscale and dbias [C].

        These are added up over the samples of each micro-batch, then in pairs. A dx without values is not written.
        `work` has 4 L + 16 values, and 2 C for each binary digit of the number of micro-batches.
        """
