"""All kernels of a convolution as images, at the first and at the last snapshot of a run."""

from math import ceil, sqrt

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.records import Run
from engine.reports.plots import titles
from engine.reports.plots.style import DIVERGING, GREY, limit_of, new_figure

Values = NDArray[np.float32]


def tiled(filters: Values) -> NDArray[np.float32]:
    """Return kernels [out, in, H, W] as one image, side by side with a line of nan between.

    A row has the kernels of one output, a column those of one input; with a single input, outputs fill a rectangle
    of up to twice the width of its height, row by row.
    """
    out, inputs, high, wide = filters.shape
    rows, columns = out, inputs
    if inputs == 1:
        side = ceil(sqrt(out))
        columns = min(range(side, 2 * side), key=lambda width: -out % width)  # the fewest places left over
        rows = ceil(out / columns)
    padded = np.full((rows * columns, high + 1, wide + 1), np.nan, np.float32)
    padded[: out * inputs, :high, :wide] = filters.reshape(-1, high, wide)
    grid = padded.reshape(rows, columns, high + 1, wide + 1).transpose(0, 2, 1, 3)
    return grid.reshape(rows * (high + 1), columns * (wide + 1))[:-1, :-1]


def draw(run: Run, layer: str, first: tuple[int, Values], last: tuple[int, Values]) -> Figure:
    """Return the picture; `first` and `last` are a step and the kernels [out, in, H, W] that its gradient was taken at,
    before it changed them. Where both are the same step it is shown once.
    """
    out, inputs = first[1].shape[:2]
    ends = (first, last)[: 1 if first[0] == last[0] else 2]
    images = [tiled(values) for _, values in ends]
    tall = 9.2 * images[0].shape[0] / (len(ends) * images[0].shape[1])
    figure = new_figure(11, min(max(tall, 2.0), 12) + 1.3, f"{titles.title(run)}\n{layer}: {_counted(out, inputs)}")
    limit = max(limit_of(values, 99.8) for _, values in ends)
    panels = figure.subplots(1, len(ends), squeeze=False)[0]
    for axes, image, (step, _) in zip(panels, images, ends, strict=True):
        axes.set_facecolor("#c4c4c4")
        shown = axes.imshow(image.astype(np.float64), cmap=DIVERGING, vmin=-limit, vmax=limit)
        axes.set_title("as initialised (step 1)" if step == 1 else f"at step {step}")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if inputs > 1:
            axes.set_xlabel(f"{inputs} inputs", color=GREY)
            axes.set_ylabel(f"{out} outputs", color=GREY)
    figure.get_layout_engine().set(wspace=0.04)  # type: ignore[union-attr, call-arg]
    figure.colorbar(shown, ax=panels, shrink=0.7, label="value", pad=0.01, aspect=30, extend="both")
    return figure


def _counted(out: int, inputs: int) -> str:
    return f"{out} kernel{'s' * (out != 1)}" if inputs == 1 else f"{out} x {inputs} kernels"
