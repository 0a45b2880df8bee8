"""Layers that act on each value by itself."""

from dataclasses import dataclass
from typing import ClassVar

from engine.errors import ModelError
from engine.nn.layers.base import Layer, Shape


@dataclass(frozen=True)
class Elementwise(Layer):
    """Base of layers that keep the shape; not a layer itself."""

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        return shape


@dataclass(frozen=True)
class Relu(Elementwise):
    """max(0, x)."""

    prefix: ClassVar[str] = "relu"


@dataclass(frozen=True)
class Gelu(Elementwise):
    """x * Phi(x), Phi the standard normal distribution, by the exact erf (Hendrycks and Gimpel 2016, eq. 1)."""

    prefix: ClassVar[str] = "gelu"


@dataclass(frozen=True)
class Tanh(Elementwise):
    """tanh(x)."""

    prefix: ClassVar[str] = "tanh"


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """1 / (1 + e^-x)."""

    prefix: ClassVar[str] = "sigmoid"


@dataclass(frozen=True)
class Silu(Elementwise):
    """x / (1 + e^-x), also called Swish (Hendrycks and Gimpel 2016; Ramachandran, Zoph and Le 2017)."""

    prefix: ClassVar[str] = "silu"


@dataclass(frozen=True)
class LeakyRelu(Elementwise):
    """x above 0, `slope` times x below (Maas, Hannun and Ng 2013)."""

    prefix: ClassVar[str] = "leaky"
    slope: float = 0.01

    def __post_init__(self) -> None:
        if isinstance(self.slope, bool) or not isinstance(self.slope, int | float) or not 0 <= self.slope <= 1:
            raise ModelError(f"LeakyRelu: slope must be from 0 to 1, got {self.slope!r:.60}")


@dataclass(frozen=True)
class Softplus(Elementwise):
    """log(1 + e^x), a smooth ReLU (Dugas et al. 2001)."""

    prefix: ClassVar[str] = "softplus"


@dataclass(frozen=True)
class Dropout(Elementwise):
    """In training, zero each value with probability `rate` and scale the others by 1 / (1 - rate).

    Inverted dropout (Srivastava et al. 2014, section 10), so evaluation uses the values as they are.
    """

    prefix: ClassVar[str] = "dropout"
    rate: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.rate, bool) or not isinstance(self.rate, int | float) or not 0 <= self.rate < 1:
            raise ModelError(f"Dropout: rate must be at least 0 and below 1, got {self.rate!r:.60}")
