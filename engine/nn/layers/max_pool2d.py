"""Max-pooling."""

from dataclasses import dataclass
from typing import ClassVar

from engine.nn.layers.base import Layer, Shape, need_image, need_positive


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """Largest value of each `size` x `size` window, windows side by side.

    The size is rounded up: windows at the right and lower edge may be partial. The gradient goes to the first maximum
    in reading order.
    """

    prefix: ClassVar[str] = "pool"
    size: int = 2

    def __post_init__(self) -> None:
        need_positive(self, size=self.size)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (ceil(H / size), ceil(W / size), C)."""
        H, W, C = need_image(self, shape)
        return (-(-H // self.size), -(-W // self.size), C)
