"""Two-dimensional convolution."""

from dataclasses import dataclass
from typing import ClassVar

from engine.errors import ModelError
from engine.nn.layers.base import Layer, Shape, need_image, need_positive
from engine.nn.parameters import Spec


@dataclass(frozen=True)
class Conv2d(Layer):
    """Cross-correlation of (H, W, C) with `filters` kernels of `kernel` x `kernel`, plus a bias a filter.

    `padding` zeros are added on every side. Parameters: `filter` [filters, C, kernel, kernel], `bias` [filters].
    """

    prefix: ClassVar[str] = "c"
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        need_positive(self, filters=self.filters, kernel=self.kernel, stride=self.stride)
        if type(self.padding) is not int or not 0 <= self.padding < self.kernel:
            raise ModelError(
                f"Conv2d: padding must be from 0 to kernel - 1 = {self.kernel - 1}, got {self.padding!r:.60}"
            )

    def output_shape(self, shape: Shape) -> Shape:
        """Return (H', W', filters), H' = (H + 2 padding - kernel) // stride + 1."""
        H, W, _ = need_image(self, shape)
        out = [(size + 2 * self.padding - self.kernel) // self.stride + 1 for size in (H, W)]
        if min(out) < 1:
            raise ModelError(f"{self.name}: a {self.kernel}x{self.kernel} kernel does not fit images of {H}x{W}")
        return (out[0], out[1], self.filters)

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:
        """Return filter (stored [kernel, kernel, C, filters]) and bias."""
        C, k = shape[2], self.kernel
        fan_in = C * k * k
        return (
            Spec("filter", (self.filters, C, k, k), fan_in, axes=(2, 3, 1, 0)),
            Spec("bias", (self.filters,), fan_in),
        )
