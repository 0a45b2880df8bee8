"""What a network takes for what: its confusion matrix, and the images that it was most wrong about."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from engine.data import Dataset, Split
from engine.reports.plots.lettering import fitted, literal, width
from engine.reports.plots.style import GREY, new_figure
from engine.reports.text import data_name

MISTAKES = 24  # images shown at most
NOTHING = -1  # what was said by outputs that are not finite: no class
_COLUMNS = 4
_WRITTEN = 40  # up to so many classes there is room to write the numbers
_NAMED = 47  # names of classes that fit along an axis
_NAME = 90.0  # points of a name at the matrix, which longer ones would squeeze
_TILE = 82.0  # points of a title between those of its neighbours
_TITLE = 8.0  # size of a title


@dataclass(frozen=True)
class Answers:
    """What was said of N images: `truth` [N] and `said` [N] are numbers of classes.

    `sure` [N] is the probability that was given to what was said, `fair` [N] the one that the truth got. Where the
    outputs are not finite, NOTHING was said, and both are 0.
    """

    truth: NDArray[np.int64]
    said: NDArray[np.int64]
    sure: NDArray[np.float64]
    fair: NDArray[np.float64]


def answers(chances: NDArray[np.float64], labels: NDArray[np.int32]) -> Answers:
    """Return what probabilities [N, classes] say, where `labels` [N] are true."""
    truth = labels.astype(np.int64)
    finite = np.isfinite(chances)
    whole = np.logical_and.reduce(finite, axis=1)  # of nan, argmax would make an answer, which may even be right
    chances = np.where(finite, chances, 0)
    likeliest = chances.argmax(axis=1)
    rows = np.arange(len(labels))
    return Answers(truth, np.where(whole, likeliest, NOTHING), chances[rows, likeliest], chances[rows, truth])


def matrix(found: Answers, classes: int) -> NDArray[np.int64]:
    """Return how many images of class i were taken for class j: int64 [classes, classes]."""
    counts = np.zeros((classes, classes), np.int64)
    whole = found.said != NOTHING
    np.add.at(counts, (found.truth[whole], found.said[whole]), 1)
    return counts


def part_of(data: Dataset) -> str:
    """Return in words which part is drawn: the one that is chosen by, of this data set."""
    part = "test" if data.validation is None else "validation"
    return f"the {part} part of {data_name(data.name, data.generated)}"


def worst(found: Answers) -> NDArray[np.int64]:
    """Return the numbers of the `MISTAKES` wrongly read images with the least probability for the truth."""
    wrong = np.flatnonzero(found.said != found.truth)
    order: NDArray[np.int64] = wrong[np.lexsort((wrong, -found.sure[wrong], found.fair[wrong]))]
    return order[:MISTAKES]


def images_of(part: Split) -> NDArray[np.uint8] | None:
    """Return the images of a part; None if it has features."""
    return None if part.has_features else part.images


def draw(found: Answers, images: NDArray[np.uint8] | None, classes: Sequence[str], title: str) -> Figure:
    """Return the picture for images, uint8 [N, H, W, C], whose classes have these names.

    Without images there are only numbers. Images with 3 or 4 channels are shown in colour, of others the mean over the
    channels.
    """
    right = int((found.said == found.truth).sum())
    total = len(found.truth)
    score = f"{right:,} of {total:,} right ({100 * right / total:.2f} %)"
    if silent := int((found.said == NOTHING).sum()):
        score += f", {silent:,} without an answer (nan)"
    figure = new_figure(12.5, 7.2, f"{literal(title)}: {score}")
    ratios = [1.0] if images is None else [1.45, 1]
    left, *side = figure.subfigures(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
    _draw_matrix(left, found, classes)
    if images is not None:
        _draw_worst(side[0], found, images, classes)
    return figure


def _draw_matrix(part: SubFigure, found: Answers, classes: Sequence[str]) -> None:
    """Draw the mistakes in colour; on the diagonal what was read rightly, which would outshine them."""
    counts = matrix(found, len(classes))
    axes = part.subplots()
    diagonal = np.eye(len(counts), dtype=bool)
    wrong = np.where(diagonal, 0, counts)
    most = int(wrong.max())
    norm = LogNorm(1, max(most, 2))
    axes.imshow(np.ma.masked_where(~diagonal, np.ones(counts.shape)), cmap="Greys", vmin=0, vmax=6)
    colours = axes.imshow(np.ma.masked_equal(wrong, 0), cmap="YlOrRd", norm=norm)
    _name_classes(axes, classes)
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color=GREY, alpha=0.3, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="said", ylabel="true", title="number of mistakes; on the diagonal, percent read rightly")
    if len(classes) <= _WRITTEN:
        _write_numbers(axes, counts, np.bincount(found.truth, minlength=len(classes)), norm)
    elif most:
        _colour_bar(part, axes, colours, most)


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    """Name the rows and the columns: every 2nd, 5th, 10th ... class where all would lie over each other."""
    every = next(step for step in _steps() if len(classes) <= step * _NAMED)
    shown = range(0, len(classes), every)
    size = min(9.5, 290 / len(shown))
    names = [fitted(classes[number], _NAME, size) for number in shown]
    upright = max(len(classes[number]) for number in shown) > 2
    axes.set_xticks(shown, names, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(shown, names, fontsize=size)


def _colour_bar(part: SubFigure, axes: Axes, colours: AxesImage, most: int) -> None:
    """Say which colour is how many mistakes, in plain numbers."""
    ticks = list(itertools.takewhile(lambda tick: tick <= max(most, 2), _steps()))
    bar = part.colorbar(colours, ax=axes, shrink=0.6, label="mistakes", pad=0.02, ticks=ticks)
    bar.ax.set_yticklabels([f"{tick:,}" for tick in ticks])
    bar.minorticks_off()


def _steps() -> Iterator[int]:
    """Return 1, 2, 5, 10, 20, 50 and so on."""
    return (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))


def _write_numbers(axes: Axes, counts: NDArray[np.int64], samples: NDArray[np.int64], norm: LogNorm) -> None:
    """Write into each cell its number of mistakes, on the diagonal the percentage read rightly of all `samples`."""
    size = min(9.5, 215 / len(counts))
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if i == j:
                text = f"{100 * count / samples[i]:.0f}" if samples[i] else "-"
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
        truth = classes[found.truth[number]]
        above = "said nothing (nan)"
        if found.said[number] != NOTHING:
            sure = f" ({100 * found.sure[number]:.0f} %)"
            room = _TILE - width(f"said {sure}", _TITLE)
            above = "said " + fitted(classes[found.said[number]], room, _TITLE) + sure
        axes.set_title(f"{above}\ntrue {fitted(truth, _TILE - width('true ', _TITLE), _TITLE)}", fontsize=_TITLE, pad=2)
