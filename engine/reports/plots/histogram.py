"""How the values of one tensor, and their gradients, are distributed over time: a column of colours a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.records import Run
from engine.reports.plots import titles
from engine.reports.plots.style import SEQUENTIAL, new_figure

Floats = NDArray[np.float64]
_ROWS = 120


@dataclass(frozen=True)
class Bins:
    """A histogram at one step: `counts` [B] in B equal bins from `low` to `high`."""

    step: int
    low: float
    high: float
    counts: Floats


def spread(bins: Bins, edges: Floats) -> Floats:
    """Return the share of values [R] between each two of the `edges` [R + 1]; a bin's counts lie evenly in it."""
    total = bins.counts.sum()
    if not total:
        return np.zeros(len(edges) - 1)
    if bins.low == bins.high:  # all values are the same
        return np.histogram([bins.low], edges)[0].astype(np.float64)
    corners = np.linspace(bins.low, bins.high, len(bins.counts) + 1)
    below = np.concatenate([[0.0], np.cumsum(bins.counts)]) / total
    share: Floats = np.diff(np.interp(edges, corners, below))
    return share


def heat(all_bins: Sequence[Bins], rows: int = _ROWS) -> tuple[Floats, Floats]:
    """Return edges [rows + 1] that hold nearly all values, and the share of values [rows, S] between them."""
    # A percent of the snapshots may reach out of the picture, or one odd batch would press all others flat.
    low = float(np.percentile([bins.low for bins in all_bins], 1))
    high = float(np.percentile([bins.high for bins in all_bins], 99))
    if low == high:
        low, high = low - 1.0, high + 1.0
    edges = np.linspace(low, high, rows + 1)
    return edges, np.array([spread(bins, edges) for bins in all_bins]).T


def draw(run: Run, name: str, values: Sequence[Bins], gradients: Sequence[Bins]) -> Figure:
    """Return the picture of the tensor `name`, such as "fc1.weights"."""
    figure = new_figure(9, 6.6, f"{titles.title(run)}\ndistribution of {name}")
    above, below = figure.subplots(2, 1, sharex=True)
    _panel(figure, above, values, "value")
    _panel(figure, below, gradients, "gradient of the batch")
    below.set_xlabel("batches")
    return figure


def _panel(figure: Figure, axes: Axes, all_bins: Sequence[Bins], label: str) -> None:
    edges, shares = heat(all_bins)
    steps = np.array([bins.step for bins in all_bins], np.float64)
    shown = np.ma.masked_less(100 * shares, 0.003)
    mesh = axes.pcolormesh(
        _sides(steps), edges, shown, cmap=SEQUENTIAL, norm=LogNorm(0.003, max(float(shown.max()), 0.1)), rasterized=True
    )
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, label=f"share in {edges[1] - edges[0]:.2g} [%]")
    bar.ax.yaxis.set_major_formatter("{x:g}")
    axes.set(ylabel=label)
    axes.grid(visible=False)


def _sides(steps: Floats) -> Floats:
    """Return the borders [S + 1] between neighbouring steps, so that each has a column of its own."""
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middles = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[steps[0] - (middles[0] - steps[0])], middles, [steps[-1] + (steps[-1] - middles[-1])]])
