"""The learning rate of every step: a pure function of the step, with the same bits on any processor."""

from dataclasses import dataclass

import numpy as np

from engine.kernels.circle import sin_cos
from engine.nn.optimizers.adaptive import power

RISE = 0.3  # of the steps of onecycle, where nothing else is said
START, END = 25.0, 25e4  # onecycle begins at lr / START, and ends at lr / END


@dataclass(frozen=True)
class Schedule:
    """What the learning rate `lr` becomes over `steps` steps, of which it rises for `warmup`.

    `constant` stays; `cosine` falls along half a cosine to `min_lr` (Loshchilov and Hutter 2017, equation 5), `linear`
    along a line; `step` is multiplied by `decay_factor` every `decay_every` steps; `onecycle` rises from lr / 25 to lr
    and falls to `min_lr`, or to lr / 250,000 if that is 0, both along half a cosine (Smith and Topin 2018). Beyond
    `steps` the rate stays what it is at the end. The others rise from lr / warmup in equal steps.
    """

    kind: str
    lr: float
    steps: int = 1
    warmup: int | None = None
    min_lr: float = 0.0
    decay_every: int = 1
    decay_factor: float = 0.1

    def rate(self, step: int, reductions: int = 0) -> float:
        """Return the rate of `step`, the first of which is 1, after so many reductions by `decay_factor`."""
        rate = self._one_cycle(step - 1) if self.kind == "onecycle" else self._plain(step)
        if not reductions:
            return rate
        return max(rate * power(self.decay_factor, reductions), min(rate, self.min_lr))

    def _plain(self, step: int) -> float:
        warmup = self.warmup or 0
        if step <= warmup:
            return self.lr * (step / warmup)
        after, span = step - 1 - warmup, self.steps - warmup
        match self.kind:
            case "cosine":
                return _between(self.lr, self.min_lr, after / span)
            case "linear":
                return self.lr + (self.min_lr - self.lr) * min(after / span, 1.0)
            case "step":
                return max(self.lr * power(self.decay_factor, after // self.decay_every), self.min_lr)
        return self.lr

    def _one_cycle(self, done: int) -> float:
        top = (RISE * self.steps if self.warmup is None else self.warmup) - 1  # steps before the one with the whole lr
        if done <= top and top > 0:
            return _between(self.lr / START, self.lr, done / top)
        top = max(top, 0)
        last = self.steps - 1
        return _between(self.lr, self.min_lr or self.lr / END, (done - top) / (last - top) if last > top else 1.0)


def _between(start: float, end: float, part: float) -> float:
    """Return what is at `part`, from 0 to 1, of half a cosine from `start` to `end`; beyond 1 the end."""
    _, cosine = sin_cos(np.array(min(part, 1.0) / 2))
    return end + (start - end) * ((1 + float(cosine)) / 2)


@dataclass(frozen=True)
class Rising:
    """A learning rate that rises from `low` to `high` in `steps` steps, 2 or more, by the same factor at each."""

    low: float
    high: float
    steps: int

    def rate(self, step: int, reductions: int = 0) -> float:  # noqa: ARG002 - as of a schedule
        """Return the rate of `step`, the first of which is 1."""
        part = (step - 1) / (self.steps - 1)
        from engine.kernels.exact.functions import exp, log  # noqa: PLC0415 - their package takes scipy, slow to import

        whole = float(log(np.array([self.high / self.low]))[0])
        return self.low * float(exp(np.array([whole * part]))[0])
