"""Lets a gradient that cannot be believed be computed again, before the optimizer sees it."""

import math
from collections.abc import Callable
from typing import NamedTuple

from engine.compute.sums import Sums
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.source import Source
from engine.nn.parameters import norm
from engine.training.divergence import largest
from engine.training.norms import Norms
from engine.training.state import TrainingState


class Checked(NamedTuple):
    """Sums that can be believed, and the norm of their mean gradient."""

    sums: Sums
    norm: float


class GradientCheck:
    """One worker with bad memory, or one that lies, can spoil a step, and all that come after it.

    So when a loss or a gradient is not finite, or its norm is far above those before, every block is computed again by
    two workers. The parameters do not depend on this: what comes of it is what one process alone would compute.
    """

    def __init__(self, state: TrainingState, source: Source, notice: Callable[[Notice], None]) -> None:
        self._state = state
        self._source = source
        self._notice = notice
        self._norms = Norms()

    def checked(self, step: int, sums: Sums, samples: int) -> Checked | None:
        """Return the sums of a step, the right ones if these were wrong; None if they are right and not finite."""
        size = _norm(sums) / samples
        if doubt := self._doubt(step, sums, size):
            self._notice(doubt)
            right = self._source.verify(step, self._state.parameters, sums)
            if right is not None:
                sums, size = right, _norm(right) / samples
            elif doubt.kind is NoticeKind.SUSPICIOUS:
                self._norms.false_alarm()
        if not _finite(sums, size):
            return None
        self._norms.take(size)
        return Checked(sums, size)

    def _doubt(self, step: int, sums: Sums, size: float) -> Notice | None:
        """Return why the sums cannot be believed; None if they can."""
        if not _finite(sums, size):
            return Notice(NoticeKind.NOT_FINITE, None, f"step {step}: the loss or the gradient is not finite")
        times = self._norms.suspect(size)
        if times is None or sums.gradient is None:
            return None
        layer = largest(self._state.layout, sums.gradient)
        text = f"step {step}: the norm of the gradient is {size:.3g}, {times:.3g} times the median of the steps before"
        text += f", most of it in {layer}; the learning rate is {self._state.optimizer.lr:g}"
        return Notice(NoticeKind.SUSPICIOUS, None, text)


def _norm(sums: Sums) -> float:
    return 0.0 if sums.gradient is None else norm(sums.gradient)


def _finite(sums: Sums, size: float) -> bool:
    return math.isfinite(sums.loss) and math.isfinite(size)
