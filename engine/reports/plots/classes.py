"""How well a network tells each class from the others: recall, precision and F1, as a validation counted them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from engine.reports.plots.lettering import literal
from engine.reports.plots.style import COLOURS, new_figure

_ROW = 0.24  # inches for a class


def draw(rows: Sequence[dict[str, Any]], title: str) -> Figure:
    """Return the picture of `rows` of the table `classes`, those of one validation; the class with the least F1 on top.

    A ratio of nothing has no mark.
    """
    ordered = sorted(rows, key=lambda row: (row["f1"] is None, -(row["f1"] or 0), -row["number"]))
    figure = new_figure(7, max(3.5, 1.4 + _ROW * len(ordered)), title)
    axes = figure.subplots()
    places = np.arange(len(ordered))
    f1 = [np.nan if row["f1"] is None else row["f1"] for row in ordered]
    axes.barh(places, f1, color=COLOURS[5], height=0.7, label="F1")
    for name, marker, colour in (("recall", "o", COLOURS[0]), ("precision", "D", COLOURS[1])):
        values = [np.nan if row[name] is None else row[name] for row in ordered]
        axes.plot(values, places, marker, color=colour, markersize=4.5, label=name)
    names = [f"{literal(row['name'] or str(row['number']))}  ({row['samples']:,})" for row in ordered]
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.02), ylabel="class (samples)")
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
