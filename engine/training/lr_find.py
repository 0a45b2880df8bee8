"""Finds a learning rate: in a short run it rises step by step, until the loss does (Smith 2017, section 3.3)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, Unpack

from engine.errors import DivergedError, SettingsError, UsageError
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer
from engine.nn.own.imports import Modules, importing
from engine.nn.parameters import FLOAT_MAX, FLOAT_MIN
from engine.nn.schedule import Rising
from engine.settings import Settings, SettingsDict, paths_given, settings_of
from engine.training.defaults import LR_HIGH, LR_LOW, LR_STEPS
from engine.training.forwarding import ForwardingReporter
from engine.training.prepare import Request
from engine.training.reporter import Reporter, checked_reporter
from engine.training.run import Run
from engine.training.train import train_request

FAR = 4.0  # times the least loss: there the run ends
BELOW = 10.0  # the suggestion is the rate with the least loss, divided by this
KEPT = 0.9  # of the mean loss, when a step's is added to it
FIXED = (
    "lr",
    "schedule",
    "warmup",
    "schedule_steps",
    "min_lr",
    "decay_every",
    "plateau",
    "patience",
    "target",
    "epochs",
)


@dataclass(frozen=True)
class LrFinding:
    """What came of it: the rate and the loss of every step, the running mean of these losses, and the suggestion.

    `suggestion` is a tenth of the rate at which the mean was least. `interrupted`: a signal ended the run.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    means: tuple[float, ...]
    interrupted: bool = False

    @property
    def least(self) -> float:
        """The rate at which the mean loss was least; UsageError if no step was taken."""
        if not self.means:
            raise UsageError("lr-find was interrupted before its first step, so it cannot suggest a rate")
        return self.rates[self.means.index(min(self.means))]

    @property
    def suggestion(self) -> float:
        """A learning rate to train with; UsageError if no step was taken."""
        return self.least / BELOW


class _Losses(ForwardingReporter):
    """Keeps the losses, and ends the run when they have risen far above the least."""

    def __init__(self, inner: Reporter) -> None:
        super().__init__(inner)
        self.losses: list[float] = []
        self.means: list[float] = []
        self._mean = 0.0

    def step(self, report: Any, workers: Any) -> None:
        super().step(report, workers)
        self._mean = KEPT * self._mean + (1 - KEPT) * report.loss
        self.losses.append(report.loss)
        self.means.append(self._mean / (1 - KEPT ** len(self.losses)))  # as if it had not begun with 0
        if far_above_least(self.means):
            self.stop("the loss has risen far above its least")


def far_above_least(means: Sequence[float]) -> bool:
    """Return whether the last of `means` is more than FAR times the least.

    Where the least is not above 0, as an own loss may be, how far the means had fallen takes its place.
    """
    least = min(means)
    span = least if least > 0 else max(means[0] - least, -least)
    return means[-1] - least > (FAR - 1) * span


def lr_find(
    model: Model | str | Path | None = None,
    data: object = None,
    *,
    low: float = LR_LOW,
    high: float = LR_HIGH,
    optimizer: Optimizer | str | None = None,
    db: Path | str | None = None,
    out: Path | str | None = None,
    import_: Modules = None,
    reporter: Reporter | None = None,
    **options: Unpack[SettingsDict],
) -> LrFinding:
    """Train with a learning rate that rises from `low` to `high` in `steps` steps (default: 100), and suggest one.

    The run ends early when the loss is far above its least. `model`, `data`, `db`, `out`, `import_` and `options` are
    as in `train`; it is recorded as a run called lr-find. Raises as `train` does, but not
    for a loss that is no longer finite.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if optimizer is not None:
        given |= settings_of(optimizer)
        given.pop("lr", None)
    db, out = paths_given(db=db, out=out)
    request = Request(model, data, db, out, name="lr-find", settings=given)
    with importing(import_):
        return find(request, low, high, checked_reporter(reporter, Reporter))


def find(request: Request, low: float, high: float, reporter: Reporter) -> LrFinding:
    """Do what `lr_find` says."""
    rising = _rising(request.settings, low, high)
    given = {"steps": rising.steps, "snapshot_first": 0, "snapshot_every": 0} | dict(request.settings)
    watch = _Losses(reporter)

    def change(run: Run) -> Run:
        return replace(run, rates=rising)

    state = ""
    try:
        state = train_request(replace(request, settings=given), watch, change).state
    except DivergedError:
        if not watch.losses:
            raise
    count = len(watch.losses)
    rates = tuple(rising.rate(step) for step in range(1, count + 1))
    return LrFinding(rates, tuple(watch.losses), tuple(watch.means), interrupted=state == "interrupted")


def _rising(settings: Mapping[str, Any], low: float, high: float) -> Rising:
    """Return the rates; SettingsError if they cannot be."""
    for name in FIXED:
        if settings.get(name):
            raise SettingsError(f"lr-find tries learning rates in one short run: leave --{name.replace('_', '-')} out")
    for name, rate in (("low", low), ("high", high)):
        if not isinstance(rate, Real):
            raise SettingsError(f"{name} must be a number, got {rate!r:.60}")
    if not (math.isfinite(high) and FLOAT_MIN <= low < high <= FLOAT_MAX):
        raise SettingsError(f"lr-find goes from --low up to --high, both above 0, got {low:g} and {high:g}")
    steps = Settings(steps=settings.get("steps")).steps or LR_STEPS
    if steps < 2:
        raise SettingsError(f"steps must be at least 2 for lr-find, got {steps}")
    return Rising(low, high, steps)
