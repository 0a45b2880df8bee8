"""The end of a program: loss, number of correct answers, and the gradient at the last layer."""

import numpy as np
from numpy.typing import NDArray

from engine.compute.program.buffers import Activation, Arena
from engine.kernels import Backend
from engine.nn.model import CROSS_ENTROPY


class Loss:
    """The loss `name` of N rows of outputs."""

    def __init__(self, name: str, outputs: Activation, arena: Arena, backend: Backend) -> None:
        self._kernel = backend.softmax_cross_entropy if name == CROSS_ENTROPY else backend.mean_squared_error
        gradient = outputs.gradient if outputs.gradient is not None else arena.keep(*outputs.value.shape)
        self.outputs = outputs.value.reshape(-1, outputs.frame.C)
        self._gradient = gradient.reshape(self.outputs.shape)
        self._losses = arena.keep(len(self.outputs), dtype=np.float64)

    def __call__(self, labels: NDArray[np.int32]) -> tuple[float, int]:
        """Return the sum of the losses and the number of correct answers; set the gradient at the last layer."""
        correct = self._kernel(self.outputs, labels, self._losses, self._gradient)
        return float(self._losses.sum()), correct
