"""Loss and percent correct, or R², of runs, in training and validation, against batches, epochs or time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from engine.errors import RecordsError
from engine.records import Run
from engine.records.history import Curves
from engine.reports.plots import titles
from engine.reports.plots.style import COLOURS, GREY, new_figure, percent_axis, unit_of_time

Floats = NDArray[np.float64]
AXES = {"batch": "batchno", "epoch": "epoch", "wall": "elapsed", "cpu": "cputime"}
_NAMES = {"batch": "batches", "epoch": "epochs", "wall": "wall-clock time", "cpu": "CPU time, all processes"}


@dataclass(frozen=True)
class Course:
    """How one run went: its row of `runs`, and its curves in training and validation."""

    run: Run
    training: Curves
    validation: Curves


def smoothed(values: Floats, memory: float) -> Floats:
    """Return the mean of all values [steps] up to each step, one that is `memory` steps old weighing 1/e; skips nan.

    The weights are divided by their sum, so the first values are right, too (as in Kingma and Ba 2015, section 3).
    """
    keep = np.exp(-1 / memory)
    total = weight = 0.0
    out = np.full(len(values), np.nan)
    for i, value in enumerate(values.tolist()):
        total, weight = total * keep, weight * keep
        if np.isfinite(value):
            total, weight = total + value, weight + 1
        if weight:
            out[i] = total / weight
    return out


def draw(courses: Sequence[Course], against: str = "batch") -> Figure:
    """Return the picture; RecordsError for a run without a step."""
    for course in courses:
        if not len(course.training["batchno"]):
            raise RecordsError(f"run {course.run['startID']} has no steps to plot yet")
    scores = {_score(course) for course in courses}
    if len(scores) > 1:
        raise RecordsError("some of the runs count percent correct, others R²: draw them apart")
    [score] = scores
    column = AXES[against]
    longest = max(course.training[column][-1] for course in courses)
    divisor, unit = unit_of_time(longest) if against in ("wall", "cpu") else (1.0, "")
    tasks = {titles.task(course.run) for course in courses}
    figure = new_figure(8, 6.2 + 0.2 * len(courses), f"{tasks.pop()}: progress" if len(tasks) == 1 else "progress")
    above, below = figure.subplots(2, 1, sharex=True)
    names = titles.labels([course.run for course in courses])
    for i, (course, name) in enumerate(zip(courses, names, strict=True)):
        # With more workers a run goes through the same losses: dashes, so that the one below is seen as well.
        dashed = any(_coincide(course, other, column) for other in courses[:i])
        look = {"color": COLOURS[i % len(COLOURS)], "linestyle": (0, (4, 4)) if dashed else "-"}
        for axes, value in ((above, "avgloss"), (below, score)):
            _curve(axes, course, column, value, divisor, look, name)
    above.set(ylabel="mean loss of a batch")
    if _all_positive(courses):
        above.set_yscale("log")
        _plain_ticks(above)
    below.set(ylabel="R²" if score == "r2" else "correct", xlabel=_NAMES[against] + (f" [{unit}]" if unit else ""))
    below.set_xlim(left=0)
    if against == "batch":
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
    if score == "r2":
        below.set_ylim(*_r2_limits(courses))
    else:
        percent_axis(below)
    _legends(above, courses)
    return figure


def _plain_ticks(axes: Axes) -> None:
    """Write the losses as 3.25, not 3.25 x 10^0, unless they go over many powers of ten."""
    low, high = axes.get_ylim()
    if low >= 1e-3 and high < 1e4:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        if high < 10 * low:  # a range that may have no power of ten, so that the ticks between are needed
            axes.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))


def _score(course: Course) -> str:
    """Return the column of what says how good a run is: no batch has a percentage where values are predicted."""
    percent = any(np.isfinite(curves["corperc"]).any() for curves in (course.training, course.validation))
    return "corperc" if percent else "r2"


def _curve(
    axes: Axes, course: Course, column: str, value: str, divisor: float, look: dict[str, Any], label: str
) -> None:
    """Draw the raw line faintly, the smoothed one over it, and validations as dots."""
    colour = look["color"]
    if value in course.training:  # R² is of validations only
        x, y = course.training[column] / divisor, course.training[value]
        axes.plot(x, y, color=colour, alpha=0.2, linewidth=0.7, rasterized=True, label="_raw")
        alone: dict[str, Any] = {"marker": "D", "markersize": 4.5} if len(y) == 1 else {}  # one point makes no line
        axes.plot(x, smoothed(y, max(len(y) / 50, 1)), label=label, **look, **alone)
    seen = course.validation
    axes.plot(seen[column] / divisor, seen[value], "o--", color=colour, markersize=4.5, linewidth=0.8,
              markeredgecolor="white", markeredgewidth=0.6, label="_validation")  # fmt: skip


def _coincide(one: Course, other: Course, column: str) -> bool:
    """Tell whether the curves of two runs are the same, as far as both go."""
    steps = min(len(one.training[column]), len(other.training[column]))
    names = (column, "avgloss")
    return all(np.array_equal(one.training[n][:steps], other.training[n][:steps], equal_nan=True) for n in names)


def _legends(above: Axes, courses: Sequence[Course]) -> None:
    """Say which colour is which run, and which kind of line is what."""
    above.legend(loc="lower left", bbox_to_anchor=(0, 1))  # above the axes, where no curve can be
    kinds = [
        Line2D([], [], color=GREY, label="training, smoothed"),
        Line2D([], [], color=GREY, alpha=0.4, linewidth=0.7, label="training, one batch"),
    ]
    if any(len(course.validation["batchno"]) for course in courses):
        kinds.append(Line2D([], [], color=GREY, marker="o", linestyle="--", linewidth=0.8, label="validation"))
    above.figure.legend(handles=kinds, loc="outside lower center", ncols=len(kinds))  # where no curve can be


def _r2_limits(courses: Sequence[Course]) -> tuple[float, float]:
    """Return the ends of an axis for R²: 1 is the best, and what is far below 0 says no more than 0 does."""
    found = np.concatenate([course.validation["r2"] for course in courses])
    return max(-0.5, float(np.min(found, initial=0.0, where=np.isfinite(found)))) - 0.02, 1.02


def _all_positive(courses: Sequence[Course]) -> bool:
    """Tell whether every loss can be shown on a logarithmic axis."""
    losses = np.concatenate([curves["avgloss"] for c in courses for curves in (c.training, c.validation)])
    finite = losses[np.isfinite(losses)]
    return bool(len(finite) and (finite > 0).all())
