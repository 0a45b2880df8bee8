"""Normalisation of each sample by itself."""

from dataclasses import dataclass, field
from typing import ClassVar

from engine.errors import ModelError
from engine.nn.layers.base import Layer, Shape, need_positive
from engine.nn.parameters import FLOAT_MAX, FLOAT_MIN, Spec


@dataclass(frozen=True)
class Norm(Layer):
    """Base: (x - mean) / sqrt(variance + epsilon) * scale + bias; not a layer itself.

    Mean and variance are those of the values of one sample, in each of `groups` groups of neighbouring channels.
    Parameters: `scale` [C], which begins as 1, and `bias` [C], which begins as 0; for features C is their number.
    """

    epsilon: float = field(default=1e-5, kw_only=True)

    def __post_init__(self) -> None:
        kind, value = type(self).__name__, self.epsilon
        if isinstance(value, bool) or not isinstance(value, int | float) or not FLOAT_MIN <= value <= FLOAT_MAX:
            raise ModelError(f"{kind}: epsilon must be above 0, in the range of float32, got {value!r:.60}")

    def parts(self) -> int:
        """Return the number of groups."""
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        return shape

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:
        """Return scale and bias."""
        return Spec("scale", shape[-1:], 1, initial=1.0), Spec("bias", shape[-1:], 1, initial=0.0)


@dataclass(frozen=True)
class LayerNorm(Norm):
    """Normalise all values of a sample together (Ba, Kiros and Hinton 2016), with a scale and bias for each channel."""

    prefix: ClassVar[str] = "ln"

    def parts(self) -> int:
        """Return 1."""
        return 1


@dataclass(frozen=True)
class GroupNorm(Norm):
    """Normalise `groups` groups of channels of a sample, each by itself (Wu and He 2018)."""

    prefix: ClassVar[str] = "gn"
    groups: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        need_positive(self, groups=self.groups)

    def parts(self) -> int:
        """Return the number of groups."""
        return self.groups

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`; ModelError unless the groups have equally many channels."""
        if shape[-1] % self.groups:
            raise ModelError(f"{self.name}: {shape[-1]} channels cannot be cut into {self.groups} equal groups")
        return shape
