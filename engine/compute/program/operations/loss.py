"""The end of a program: loss, number of correct answers, and the gradient at the last layer."""

from collections.abc import Callable
from functools import partial
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compute.program.buffers import Activation, Arena
from engine.errors import DataError
from engine.kernels import Array, Backend
from engine.kernels.pairs import in_pairs
from engine.nn.loss_options import CROSS_ENTROPY, LossOptions
from engine.nn.own.losses import OWN_LOSSES, OwnLoss


class Loss:
    """The loss `name` of N rows of outputs, in training with `options`."""

    def __init__(
        self, name: str, outputs: Activation, arena: Arena, backend: Backend, microbatch: int, options: LossOptions
    ) -> None:
        self._microbatch = microbatch
        self._smoothing = options.smoothing
        self._weights = np.array(options.weights, np.float64)
        self._total = backend.total
        self._of_labels: Callable[..., int] = backend.mean_squared_error
        self._of_values: Callable[..., Any] | None = backend.squared_error_of_values
        if name == CROSS_ENTROPY:
            self._of_labels, self._of_values = backend.softmax_cross_entropy, None
        if own := OWN_LOSSES.get(name):
            self._of_labels, self._of_values = partial(self._own, own), partial(self._own, own) if own.values else None
        gradient = outputs.gradient if outputs.gradient is not None else arena.keep(*outputs.value.shape)
        self.outputs = outputs.value.reshape(-1, outputs.frame.C)
        self._gradient = gradient.reshape(self.outputs.shape)
        self._losses = arena.keep(len(self.outputs), dtype=np.float64)
        self._parts = [self._losses[n : n + microbatch] for n in range(0, len(self._losses), microbatch)]
        self._labels = arena.keep(len(self.outputs), dtype=np.int32)
        self._values = arena.keep(*self.outputs.shape)

    def take(self, targets: NDArray[np.int32] | Array) -> None:
        """Keep what the next outputs are to be: labels, int32 [N], or values, float32 [N, outputs].

        Raises ValueError for a wrong shape, DataError if the loss or the outputs do not suit them.
        """
        N, outputs = self.outputs.shape
        self._has_values = targets.dtype != np.int32
        if self._has_values:
            if self._of_values is None:
                raise DataError("values are learned with mean_squared_error; this loss is for classes")
            if targets.shape != (N, outputs):
                raise ValueError(f"want values of shape {(N, outputs)}, got {targets.shape}")
            self._values[...] = targets
            return
        if targets.shape != (N,):
            raise ValueError(f"want {N} labels, got shape {targets.shape}")
        if targets.min() < 0 or targets.max() >= outputs:
            raise DataError(f"labels must be from 0 to {outputs - 1}, got {targets.min()} to {targets.max()}")
        self._labels[...] = targets

    def compute(self, training: bool) -> tuple[float, int]:
        """Return the sum of the losses and the number of correct answers; set the gradient at the last layer.

        No answer counts as correct where values are predicted. Without `training` it is the plain loss.
        """
        if self._has_values and self._of_values:
            self._of_values(self.outputs, self._values, self._losses, self._gradient)
            return self._sum(), 0
        correct = self._of_labels(self.outputs, self._labels, self._losses, self._gradient)
        if training and self._smoothing:
            self._smooth()
        if training and self._weights.size:
            weights = self._weights[self._labels]
            self._losses *= weights
            self._gradient *= weights.astype(np.float32)[:, None]
        return self._sum(), correct

    def _own(self, own: OwnLoss, outputs: Array, targets: NDArray[Any], losses: Array, gradient: Array) -> int:
        """Do what the backend does otherwise, by a person's loss: micro-batch by micro-batch, as its layers."""
        for start in range(0, len(outputs), self._microbatch):
            part = slice(start, start + self._microbatch)
            losses[part], gradient[part] = own(outputs[part].copy(), targets[part].copy())
        if own.values:
            return 0
        right = (np.argmax(outputs, axis=1) == targets) & ~np.isnan(outputs).any(axis=1)
        return int(right.sum())

    def _smooth(self) -> None:
        """Move a part of what each label is worth to all outputs, in equal shares: see docs/arithmetic.md."""
        rows, K = np.arange(len(self._labels)), self.outputs.shape[1]
        wide = self.outputs.astype(np.float64)
        means = np.cumsum(wide, axis=1)[:, -1] / K  # cumsum adds one value after the other
        self._losses += self._smoothing * (wide[rows, self._labels] - means)
        self._gradient[rows, self._labels] += np.float32(self._smoothing)
        self._gradient -= np.float32(self._smoothing / K)

    def _sum(self) -> float:
        """Return the losses of micro-batches, added up in pairs."""
        return in_pairs([self._total(part) for part in self._parts], add)
