"""How large the parameters of every layer are over time, how large their gradients, and how far a step moves them."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from engine.records import Run
from engine.reports.plots import titles
from engine.reports.plots.style import COLOURS, GREY, marks, new_figure

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Norms:
    """Euclidean norms of one tensor, such as "c2.filter", at S `steps`: float64 [S] each, nan where not known."""

    name: str
    steps: Floats
    values: Floats
    gradients: Floats
    updates: Floats

    @property
    def ratio(self) -> Floats:
        """How far a step moved the values, as a share of their norm; about 0.001 is healthy."""
        with np.errstate(divide="ignore", invalid="ignore"):
            moved: Floats = self.updates / self.values
        return np.where(self.values > 0, moved, np.nan)


def draw(run: Run, norms: list[Norms]) -> Figure:
    """Return the picture of the norms of every tensor."""
    figure = new_figure(8.5, 8.2, f"{titles.title(run)}\nnorms of every layer")
    panels = figure.subplots(3, 1, sharex=True)
    layers = list(dict.fromkeys(norm.name.partition(".")[0] for norm in norms))
    for norm in norms:
        layer, _, array = norm.name.partition(".")
        number = layers.index(layer)
        thin = {"linestyle": "--", "linewidth": 0.9, "markerfacecolor": "white"}
        style = marks(len(norm.steps)) | (thin if array == "bias" else {"linewidth": 1.6})
        for axes, series in zip(panels, (norm.values, norm.gradients, norm.ratio), strict=True):
            shown = np.where((series > 0) & np.isfinite(series), series, np.nan)  # a logarithm has no place for 0
            axes.plot(norm.steps, shown, color=COLOURS[number % len(COLOURS)], label=norm.name, **style)
    for axes, name in zip(panels, ("norm of the values", "norm of the gradient", "update / values"), strict=True):
        axes.set(yscale="log", ylabel=name)
    panels[2].axhline(1e-3, color=GREY, linewidth=0.8, linestyle=":")
    panels[2].set_xlabel("batches")
    panels[2].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=panels[0].get_legend_handles_labels()[0], loc="outside right center")
    return figure
