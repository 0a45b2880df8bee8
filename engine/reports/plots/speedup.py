"""The speed-ups that `gradsum bench` measured, with the ideal line and the limit that the serial part sets."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from engine.reports.plots.style import COLOURS, GREY, new_figure

Row = dict[str, Any]


def draw(rows: Sequence[Row], *, what: str, weak: bool, cores: int) -> Figure:
    """Return the picture of the rows of `bench`, of which at least one has workers: measured, limit and ideal.

    `what` was measured is in its title.
    """
    kind = "weak scaling, the batch grows with the workers" if weak else "strong scaling, the batch stays the same"
    figure = new_figure(7, 4.5, f"{what}: {kind}")
    axes = figure.subplots()
    counts = sorted({0, *(row["workers"] for row in rows)})
    axes.plot(counts, counts, color=GREY, linewidth=0.8, label="ideal")
    _mark_cores(axes, cores, counts[-1])
    studies = dict.fromkeys((row["study"], row["microbatch"]) for row in rows)
    for number, (study, microbatch) in enumerate(studies):
        some = [row for row in rows if (row["study"], row["microbatch"]) == (study, microbatch) and row["workers"]]
        name = f"batch {study}" + (" a worker" if weak else "")
        name += f"\nof micro-batches of {microbatch}" if len({size for _, size in studies}) > 1 else ""
        _draw_study(axes, some, COLOURS[number % len(COLOURS)], name)
    handles, labels = axes.get_legend_handles_labels()
    if any(row["limit"] is not None for row in rows):
        handles.append(Line2D([], [], linestyle=":", color="black"))
        labels.append("limit: the serial\npart of a step")
    figure.legend(handles, labels, loc="outside right center")
    axes.set(xlabel="workers", ylabel="speed-up over training without workers", xticks=counts)
    axes.set_xlim(0, counts[-1] * 1.06)
    axes.set_ylim(bottom=0)
    return figure


def _mark_cores(axes: Axes, cores: int, most: int) -> None:
    """Show from where on workers have to share cores."""
    if cores <= most:
        axes.axvline(cores, color=GREY, linewidth=0.8, linestyle="--")
        text = f"{cores} core{'s' * (cores > 1)} "
        axes.text(cores, 0.02, text, color=GREY, fontsize="small", ha="right", transform=axes.get_xaxis_transform())


def _draw_study(axes: Axes, rows: Sequence[Row], colour: str, name: str) -> None:
    """Draw the medians with the range of all rounds, and the limit."""
    workers, speedups = [row["workers"] for row in rows], [row["speedup"] for row in rows]
    below = [row["speedup"] - row["slowest"] for row in rows]
    above = [row["fastest"] - row["speedup"] for row in rows]
    axes.errorbar(workers, speedups, (below, above), fmt="o-", color=colour, capsize=3, markersize=5, label=name)
    if all(row["limit"] is not None for row in rows):
        axes.plot(workers, [row["limit"] for row in rows], ":", color=colour)
