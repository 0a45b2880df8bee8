"""Averages of images."""

from dataclasses import dataclass
from typing import ClassVar

from engine.nn.layers.base import Layer, Shape, need_image, need_positive


@dataclass(frozen=True)
class AvgPool2d(Layer):
    """Mean of each `size` x `size` window, windows side by side.

    The size is rounded up: a window at the right or lower edge may be partial, and is the mean of what is there.
    """

    prefix: ClassVar[str] = "avg"
    size: int = 2

    def __post_init__(self) -> None:
        need_positive(self, size=self.size)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (ceil(H / size), ceil(W / size), C)."""
        H, W, C = need_image(self, shape)
        return (-(-H // self.size), -(-W // self.size), C)


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """Mean of each channel over the image: from (H, W, C) to features (C,), in place of a Flatten."""

    prefix: ClassVar[str] = "gap"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C,)."""
        return (need_image(self, shape)[2],)
