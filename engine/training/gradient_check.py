"""Lets a gradient that cannot be believed be computed again, before the optimizer sees it."""

import math
from collections.abc import Callable
from typing import NamedTuple

from engine.compute.sums import Sums
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.source import Source
from engine.kernels import choose
from engine.nn.parameters import Vector
from engine.training.divergence import largest
from engine.training.norms import Norms
from engine.training.state import TrainingState


class Checked(NamedTuple):
    """Sums that can be believed, their gradient, and the norm of their mean gradient; whether all that is `finite`."""

    sums: Sums
    gradient: Vector
    norm: float
    finite: bool


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
        self._norm = choose().norm  # chosen once: to look for it takes longer than the norm

    def checked(self, step: int, sums: Sums, samples: int) -> Checked:
        """Return the sums of a step, the right ones if these were wrong."""
        found = self._measured(sums, samples)
        if doubt := self._doubt(step, found):
            self._notice(doubt)
            right = self._source.verify(step, self._state.parameters, sums)
            if right is not None:
                found = self._measured(right, samples)
            elif doubt.kind is NoticeKind.SUSPICIOUS:
                self._norms.false_alarm()
        if found.finite:
            self._norms.take(found.norm)
        return found

    def _doubt(self, step: int, found: Checked) -> Notice | None:
        """Return why the sums cannot be believed; None if they can."""
        if not found.finite:
            return Notice(NoticeKind.NOT_FINITE, None, f"step {step}: the loss or the gradient is not finite")
        times = self._norms.suspect(found.norm)
        if times is None:
            return None
        layer = largest(self._state.layout, found.gradient)
        text = f"step {step}: the norm of the gradient is {found.norm:.3g}, {times:.3g} times the median of the steps"
        text += f" before, most of it in {layer}; the learning rate is {self._state.optimizer.lr:g}"
        return Notice(NoticeKind.SUSPICIOUS, None, text)

    def _measured(self, sums: Sums, samples: int) -> Checked:
        if sums.gradient is None:
            raise ValueError("the sums of a training step come without a gradient")
        size = self._norm(sums.gradient) / samples
        return Checked(sums, sums.gradient, size, math.isfinite(sums.loss) and math.isfinite(size))
