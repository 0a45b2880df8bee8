"""One kernel over time: each of its values less its mean, and their gradients; the picture that shows learning."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from engine.records import Run
from engine.reports.plots import titles
from engine.reports.plots.style import DIVERGING, GREY, NINE, limit_of, marks, new_figure

Floats = NDArray[np.float64]
Values = NDArray[np.float32]


def centred(values: Values) -> Floats:
    """Return `values` [S, K], each column less its mean over the snapshots: how it moved, wherever it began.

    What is not finite, as when training diverges, counts for nothing and is nan.
    """
    known = np.isfinite(values)
    wide = np.where(known, values, 0).astype(np.float64)
    mean = wide.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, wide - mean, np.nan)


def draw(
    run: Run, what: str, shape: tuple[int, int], steps: NDArray[np.int64], values: Values, gradients: Values
) -> Figure:
    """Return the picture of a kernel of `shape` H, W: `values` and `gradients` [S, H * W] at the S `steps`.

    `what` names the kernel, such as "c2, kernel 20".
    """
    figure = new_figure(9.5, 6.2, f"{titles.title(run)}\n{what}, at {len(steps)} step{'s' * (len(steps) != 1)}")
    left, right = figure.subfigures(1, 2, width_ratios=[5.2, 1], squeeze=False)[0]
    above, below = left.subplots(2, 1, sharex=True)
    colours = _colours(values.shape[1])
    style = marks(len(steps))
    moved, slopes = centred(values), np.where(np.isfinite(gradients), gradients, np.nan)
    for k, colour in enumerate(colours):
        above.plot(steps, moved[:, k], color=colour, linewidth=1.3, **style)
        below.plot(steps, slopes[:, k], color=colour, linewidth=0.9, alpha=0.9, **style)
    above.set(ylabel="value less its mean")
    below.set(ylabel="gradient of the batch", xlabel="batches")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend, first, last = right.subplots(3, 1)
    _legend(legend, colours, shape)
    limit = limit_of(values[[0, -1]])
    for axes, row, step in ((first, values[0], steps[0]), (last, values[-1], steps[-1])):
        _kernel(axes, row.reshape(shape), limit, f"values at step {step}")
    return figure


def _colours(count: int) -> list[Any]:
    """Return `count` colours: nine that anybody can tell apart, or more along a scale."""
    return list(NINE[:count]) if count <= len(NINE) else list(mpl.colormaps["viridis"](np.linspace(0, 0.95, count)))


def _legend(axes: Axes, colours: list[Any], shape: tuple[int, int]) -> None:
    """Show which place in the kernel has which colour."""
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in colours]).reshape(*shape, 3)
    axes.imshow(rgb)
    _bare(axes, shape, "colours by place")


def _kernel(axes: Axes, values: Values, limit: float, title: str) -> None:
    """Show the kernel as an image with its numbers; in float64, where no difference of two values overflows."""
    axes.imshow(values.astype(np.float64), cmap=DIVERGING, vmin=-limit, vmax=limit)
    _bare(axes, (values.shape[0], values.shape[1]), title)
    if values.size > len(NINE):
        return
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.6 * limit else "black"
        axes.text(j, i, _brief(float(value)), ha="center", va="center", fontsize=6.5, color=colour, clip_on=True)


def _brief(value: float) -> str:
    """Return `value` in few characters, however large it is: a kernel that diverged has values of 27 digits."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}".replace("e+", "e")


def _bare(axes: Axes, shape: tuple[int, int], title: str) -> None:
    axes.set_xticks(range(shape[1]))
    axes.set_yticks(range(shape[0]))
    axes.tick_params(length=0, labelsize=7, labelcolor=GREY)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize="small")
