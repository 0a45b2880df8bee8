"""From images to features."""

from dataclasses import dataclass
from typing import ClassVar

from engine.nn.layers.base import Layer, Shape, need_image


@dataclass(frozen=True)
class Flatten(Layer):
    """Turn an image (H, W, C) into C * H * W features, ordered (C, H, W)."""

    prefix: ClassVar[str] = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C * H * W,)."""
        H, W, C = need_image(self, shape)
        return (C * H * W,)
