"""What a network takes for what: its confusion matrix, and the images that it was most wrong about."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from engine.data import Split
from engine.reports.plots.style import GREY, new_figure
from engine.reports.plots.titles import literal

MISTAKES = 24  # images shown at most
_COLUMNS = 4
_WRITTEN = 40  # up to so many classes there is room to write the numbers


@dataclass(frozen=True)
class Answers:
    """What was said of N images: `truth` [N] and `said` [N] are numbers of classes.

    `sure` [N] is the probability that was given to what was said, `fair` [N] the one that the truth got.
    """

    truth: NDArray[np.int64]
    said: NDArray[np.int64]
    sure: NDArray[np.float64]
    fair: NDArray[np.float64]


def answers(chances: NDArray[np.float64], labels: NDArray[np.int32]) -> Answers:
    """Return what probabilities [N, classes] say, where `labels` [N] are true."""
    truth = labels.astype(np.int64)
    said = chances.argmax(axis=1)
    rows = np.arange(len(labels))
    return Answers(truth, said, chances[rows, said], chances[rows, truth])


def matrix(found: Answers, classes: int) -> NDArray[np.int64]:
    """Return how many images of class i were taken for class j: int64 [classes, classes]."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (found.truth, found.said), 1)
    return counts


def worst(found: Answers) -> NDArray[np.int64]:
    """Return the numbers of the `MISTAKES` wrongly read images with the least probability for the truth."""
    wrong = np.flatnonzero(found.said != found.truth)
    order: NDArray[np.int64] = wrong[np.lexsort((wrong, -found.sure[wrong], found.fair[wrong]))]
    return order[:MISTAKES]


def images_of(test: Split) -> NDArray[np.uint8] | None:
    """Return the images of a test part; None if it has features."""
    return None if test.has_features else test.images


def draw(found: Answers, images: NDArray[np.uint8] | None, classes: Sequence[str], title: str) -> Figure:
    """Return the picture for test images, uint8 [N, H, W, C], whose classes have these names.

    Without images there are only numbers. Images with 3 or 4 channels are shown in colour, of others the mean over the
    channels.
    """
    classes = [literal(name) for name in classes]
    right = int((found.said == found.truth).sum())
    total = len(found.truth)
    figure = new_figure(12.5, 7.2, f"{literal(title)}: {right:,} of {total:,} right ({100 * right / total:.2f} %)")
    ratios = [1.0] if images is None else [1.45, 1]
    left, *side = figure.subfigures(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
    _draw_matrix(left, matrix(found, len(classes)), classes)
    if images is not None:
        _draw_worst(side[0], found, images, classes)
    return figure


def _draw_matrix(part: SubFigure, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Draw the mistakes in colour; on the diagonal what was read rightly, which would outshine them."""
    axes = part.subplots()
    diagonal = np.eye(len(counts), dtype=bool)
    wrong = np.where(diagonal, 0, counts)
    norm = LogNorm(1, max(int(wrong.max()), 2))
    axes.imshow(np.ma.masked_where(~diagonal, np.ones(counts.shape)), cmap="Greys", vmin=0, vmax=6)
    colours = axes.imshow(np.ma.masked_equal(wrong, 0), cmap="YlOrRd", norm=norm)
    axes.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color=GREY, alpha=0.3, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="said", ylabel="true", title="number of mistakes; on the diagonal, percent read rightly")
    if len(classes) <= _WRITTEN:
        _write_numbers(axes, counts, norm)
    else:
        part.colorbar(colours, ax=axes, shrink=0.6, label="mistakes", pad=0.02)


def _write_numbers(axes: Axes, counts: NDArray[np.int64], norm: LogNorm) -> None:
    """Write into each cell its number of mistakes, on the diagonal the percentage read rightly."""
    size = min(9.5, 215 / len(counts))
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if i == j:
                text = f"{100 * count / row.sum():.0f}" if row.sum() else "-"
                axes.text(j, i, text, ha="center", va="center", fontsize=size)
            elif count:
                colour = "white" if norm(count) > 0.6 else "black"
                axes.text(j, i, f"{count}", ha="center", va="center", fontsize=size, color=colour)


def _draw_worst(part: SubFigure, found: Answers, images: NDArray[np.uint8], classes: Sequence[str]) -> None:
    """Draw the worst mistakes, each with what was said, how surely, and what is true."""
    chosen = worst(found)
    part.suptitle("the worst mistakes" if len(chosen) else "no mistakes", fontsize="medium")
    rows = max(ceil(len(chosen) / _COLUMNS), 1)
    grid = part.subplots(rows, _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, number in zip(grid.flat, chosen, strict=False):
        image = images[number]
        axes.imshow(image if image.shape[-1] in (3, 4) else image.mean(axis=-1), cmap="gray", vmin=0, vmax=255)
        said, truth = classes[found.said[number]], classes[found.truth[number]]
        axes.set_title(f"said {said} ({100 * found.sure[number]:.0f} %)\ntrue {truth}", fontsize=8, pad=2)
