"""When a trial is clearly losing: the median rule."""

from collections.abc import Iterable, Sequence
from math import isnan
from statistics import median

from engine.data.measure import Measure
from engine.records import Point
from engine.records.status import TrialStatus
from engine.sweeps.trial import Trial
from engine.training.stopping import StopKind, StopReason


class MedianRule:
    """Stops a trial whose best score so far is below the median of what the others had at the same point.

    This is the median stopping rule of Golovin et al., "Google Vizier: A Service for Black-Box Optimization" (KDD
    2017), section 3.2.2, with the value at the point in place of the running average up to it, which lags behind where
    curves rise. Only earlier trials that finished count, and nothing is stopped before there are `least` of them; 0:
    nothing ever is. Where batches differ in size, points are compared by epoch, with the last validation of the others.
    """

    def __init__(self, earlier: Iterable[Trial], least: int, measure: Measure = Measure.PERCENT) -> None:
        self._show = measure.short
        self._curves = [trial.curve for trial in earlier if trial.state is TrialStatus.FINISHED]
        self._active = 0 < least <= len(self._curves)

    def __call__(self, epoch: float, best: float | None) -> StopReason | None:
        """Return why a trial with this best score, None without any, after `epoch` epochs is stopped, if it is."""
        values = [value for curve in self._curves if (value := _value_at(curve, epoch)) is not None]
        if not (self._active and values and (best is None or best < median(values))):
            return None
        reached, middle = "no score yet" if best is None else f"{self._show(best)} at best", median(values)
        text = f"pruned: {reached}, where the median of {len(values)} trials was {self._show(middle)}"
        return StopReason(StopKind.PRUNED, text)


def _value_at(curve: Sequence[Point], epoch: float) -> float | None:
    """Return the score of the last validation until `epoch` that has one; None if there was none."""
    return next((point.score for point in reversed(curve) if point.epoch <= epoch and not isnan(point.score)), None)
