"""What each worker did: its speed, what its time went to, when it was there, and how long the steps took meanwhile."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.errors import RecordsError
from engine.records import Event, Run, Worker
from engine.records.history import Curves
from engine.reports.groups import samples_of
from engine.reports.plots import titles
from engine.reports.plots.lettering import literal
from engine.reports.plots.style import COLOURS, GREY, new_figure, unit_of_time

Floats = NDArray[np.float64]
Spans = list[tuple[float, float]]  # begin and end
MAX_SHOWN = 64  # workers that are shown
_MARKS = {
    "lapsed": ("v", COLOURS[4]),
    "refused": ("X", COLOURS[1]),
    "left": ("s", COLOURS[6]),
    "lost": ("P", COLOURS[1]),
}
_OTHER = ("D", COLOURS[3])


@dataclass(frozen=True)
class Stay:
    """One worker: when it came and went, and what its time went to, all in seconds since the run began.

    `where` it ran, besides the host in its name: the launcher's place, such as a job, and the relay, if there are any.
    """

    name: str
    came: float
    went: float
    computing: float
    validating: float
    images: int
    where: str = ""

    @property
    def label(self) -> str:
        """What to write beside what it did."""
        return literal(f"{self.name} ({self.where})" if self.where else self.name)

    @property
    def waiting(self) -> float:
        """Seconds in which it neither computed gradients nor could be validating."""
        return max(0.0, self.went - self.came - self.computing - self.validating)


@dataclass(frozen=True)
class Steps:
    """Every step of the run: when it ended (seconds since the run began), how long it took [ms], samples/s."""

    ended: Floats
    milliseconds: Floats
    rate: Floats


def steps_of(training: Curves, validation: Curves, began: float) -> Steps:
    """Return the durations of steps, from the end of what came before: the previous step or its validation.

    The first step after the run began or was resumed has no known beginning, and is left out where that can be seen.
    """
    number, elapsed = training["batchno"], training["elapsed"]
    ends = dict(zip(validation["batchno"].tolist(), validation["elapsed"].tolist(), strict=True))
    before = np.array([max(e, ends.get(n, e)) for n, e in zip(number.tolist(), elapsed.tolist(), strict=True)])
    seconds = elapsed[1:] - before[:-1]
    good = (np.diff(number) == 1) & (seconds > 0)
    rate = training["batchsize"][1:][good] / seconds[good]
    return Steps((training["time"][1:] - began)[good], 1000 * seconds[good], rate)


def validations_of(training: Curves, validation: Curves, began: float) -> Spans:
    """Return (begin, end) of every validation, in seconds since the run began."""
    elapsed = dict(zip(training["batchno"].tolist(), training["elapsed"].tolist(), strict=True))
    found = []
    for number, end, when in zip(validation["batchno"], validation["elapsed"], validation["time"], strict=True):
        seconds = end - elapsed.get(float(number), end)
        found.append((float(when - began - seconds), float(when - began)))
    return found


def stays_of(rows: list[Worker], validations: Spans, began: float, end: float) -> list[Stay]:
    """Return a Stay for each row of `workers`; one that has not left is there until `end`."""
    stays = []
    for row in rows:
        came = max(_seconds(row["joined"], began, 0.0), 0.0)
        went = max(_seconds(row["left"], began, end), came)
        validating = sum(max(0.0, min(b, went) - max(a, came)) for a, b in validations)
        where = ", ".join(filter(None, (row["place"], f"via {row['via']}" if row["via"] else None)))
        stays.append(Stay(row["worker"], came, went, row["seconds"] or 0.0, validating, row["images"] or 0, where))
    return stays


def _seconds(when: str | None, began: float, default: float) -> float:
    """Return an ISO time as seconds since `began`; `default` where there is none."""
    return default if when is None else datetime.fromisoformat(when).timestamp() - began


def draw(
    run: Run,
    training: Curves,
    validation: Curves,
    rows: list[Worker],
    events: list[Event],
) -> Figure:
    """Return the picture; without rows of workers only the steps. RecordsError for a run without steps."""
    if not len(training["batchno"]):
        raise RecordsError(f"run {run['startID']} has no steps to plot yet")
    began = float(training["time"][0] - training["elapsed"][0])
    validations = validations_of(training, validation, began)
    steps = steps_of(training, validation, began)
    end = float(max([training["time"][-1] - began, *(b for _, b in validations)]))
    stays = stays_of(rows[:MAX_SHOWN], validations, began, end)
    divisor, unit = unit_of_time(max([end, *(stay.went for stay in stays)]))
    tall = 0.32 * len(stays)
    heading, samples = titles.title(run), samples_of(run)
    if len(rows) > MAX_SHOWN:
        heading += f"\nthe first {MAX_SHOWN} of {len(rows)} workers"
    figure = new_figure(8, 3.6 + 2 * tall + (1.2 if stays else 0), heading)
    if stays:
        use, there, timeline = figure.subplots(3, 1, height_ratios=[tall + 0.5, tall + 0.5, 2.6])
        timeline.sharex(there)
        _use(use, stays, samples)
        _there(there, stays, validations, events, began, divisor)
    else:
        timeline = figure.subplots()
    _timeline(timeline, steps, validations, divisor, samples)
    timeline.set_xlabel(f"wall-clock time since the run began [{unit}]")
    return figure


def _use(axes: Axes, stays: list[Stay], unit: str) -> None:
    """Draw what each worker's time went to, as percent bars with the speeds beside them."""
    left = np.zeros(len(stays))
    whole = np.array([max(stay.went - stay.came, stay.computing, 1e-9) for stay in stays])
    kinds = (("computing gradients", COLOURS[0]), ("validation", COLOURS[5]), ("waiting and the rest", "#D0D0D0"))
    parts = np.array([(stay.computing, stay.validating, stay.waiting) for stay in stays]).T
    for (label, colour), part in zip(kinds, 100 * parts / whole, strict=True):
        axes.barh(range(len(stays)), part, left=left, color=colour, label=label, height=0.7)
        left = left + part
    for i, stay in enumerate(stays):
        alone = stay.images / stay.computing if stay.computing else 0.0
        text = f"{alone:,.0f} {unit}/s while computing, {stay.images / whole[i]:,.0f} in all"
        axes.text(101.5, i, text, va="center", fontsize="small")
    axes.set(xlim=(0, 160), title="what the workers' time went to")
    axes.set_xticks(range(0, 101, 20), [f"{percent} %" for percent in range(0, 101, 20)])
    axes.set_yticks(range(len(stays)), [stay.label for stay in stays])
    axes.spines["bottom"].set_bounds(0, 100)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.31, -0.18 - 0.3 / len(stays)), ncols=3)


def _there(
    axes: Axes,
    stays: list[Stay],
    validations: Spans,
    events: list[Event],
    began: float,
    divisor: float,
) -> None:
    """Draw when each worker was there, with what happened to it."""
    place = {stay.name: i for i, stay in enumerate(stays)}
    for i, stay in enumerate(stays):
        axes.barh(i, (stay.went - stay.came) / divisor, left=stay.came / divisor, height=0.45, color=COLOURS[0])
    marks: dict[str, list[tuple[float, int]]] = {}
    for event in events:
        # That a worker joined is the beginning of its bar.
        if event["kind"] != "joined" and event["worker"] and event["worker"] in place:
            when = (event["time"] - began) / divisor
            marks.setdefault(event["kind"], []).append((when, place[event["worker"]]))
    for kind, points in marks.items():
        marker, colour = _MARKS.get(kind, _OTHER)
        axes.plot(*zip(*points, strict=True), marker, color=colour, markeredgecolor="white", label=kind)
    _shade(axes, validations, divisor)
    axes.set_yticks(range(len(stays)), [stay.label for stay in stays])
    axes.set_ylim(len(stays) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(labelbottom=False)
    axes.set_title("when they were there, and what happened")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4)


def _timeline(axes: Axes, steps: Steps, validations: Spans, divisor: float, unit: str) -> None:
    """Draw how long each step took, and the median; validations are shaded, longer steps marked at the top."""
    x = steps.ended / divisor
    axes.plot(x, steps.milliseconds, ".", color=COLOURS[0], markersize=2.5, alpha=0.5, rasterized=True)
    _shade(axes, validations, divisor)
    axes.set(ylabel="step [ms]")
    if not len(x):  # as of a single one: a step lasts from the end of the one before
        axes.set(title="how long the steps took is not known", yticks=[])
        return
    median, p99 = float(np.median(steps.milliseconds)), float(np.percentile(steps.milliseconds, 99))
    axes.axhline(median, color=COLOURS[1], linewidth=1)
    rate = f"{np.median(steps.rate):,.0f} {unit}/s"
    axes.set_title(f"median step {median:.1f} ms ({rate}), 99th percentile {p99:.1f} ms; grey: validation")
    axes.set(ylim=(0, 1.6 * p99))
    beyond = steps.milliseconds > 1.6 * p99
    axes.plot(x[beyond], np.full(beyond.sum(), 1.57 * p99), "^", color=COLOURS[1], markersize=4)


def _shade(axes: Axes, validations: Spans, divisor: float) -> None:
    spans = [(begin / divisor, (end - begin) / divisor) for begin, end in validations]
    whole = axes.get_xaxis_transform()  # from the bottom of the axes to their top
    # One object for all of them: thousands would take minutes.
    axes.broken_barh(spans, (0, 1), transform=whole, color=GREY, alpha=0.25, linewidth=0, zorder=0)
