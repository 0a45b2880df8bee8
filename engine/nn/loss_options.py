"""The losses there are, and what training may change about that of samples that have a class."""

from dataclasses import dataclass

CROSS_ENTROPY = "softmax_cross_entropy"
SQUARED_ERROR = "mean_squared_error"
LOSSES = (CROSS_ENTROPY, SQUARED_ERROR)


@dataclass(frozen=True)
class LossOptions:
    """`smoothing` is the part of each label that is spread over all outputs (Szegedy et al. 2016, section 7).

    `weights` [outputs] is what the loss of a sample with each label counts; empty: 1 each. Both are for training: a
    validation measures the plain loss.
    """

    smoothing: float = 0.0
    weights: tuple[float, ...] = ()
