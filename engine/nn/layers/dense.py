"""A fully connected layer."""

from dataclasses import dataclass
from typing import ClassVar

from engine.errors import ModelError
from engine.nn.layers.base import Layer, Shape, need_positive
from engine.nn.parameters import Spec


@dataclass(frozen=True)
class Dense(Layer):
    """y = W x + b with `features` outputs. Parameters: `weights` [features, inputs], `bias` [features]."""

    prefix: ClassVar[str] = "fc"
    features: int

    def __post_init__(self) -> None:
        need_positive(self, features=self.features)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (features,)."""
        if len(shape) != 1:
            raise ModelError(f"{self.name}: Dense needs features (F,), but gets {shape}; put a Flatten before it")
        return (self.features,)

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:
        """Return weights and bias."""
        return (
            Spec("weights", (self.features, shape[0]), shape[0]),
            Spec("bias", (self.features,), shape[0]),
        )
