"""The loss over the learning rate, as `gradsum lr-find` measured it."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from engine.reports.plots.style import COLOURS, GREY, new_figure


def draw(rates: Sequence[float], losses: Sequence[float], means: Sequence[float], suggestion: float) -> Figure:
    """Return the picture: the loss of every step and its running mean over the rate of the step, and the suggestion."""
    figure = new_figure(7, 4.5, f"loss over the learning rate; suggested: {suggestion:.2g}")
    axes = figure.subplots()
    axes.plot(rates, losses, ".", color=GREY, markersize=4, label="of a step")
    axes.plot(rates, means, color=COLOURS[0], label="running mean")
    axes.axvline(suggestion, color=COLOURS[1], linestyle="--", label="suggested")
    axes.set(xscale="log", xlabel="learning rate", ylabel="mean loss of the batch")
    first = means[0]
    axes.set_ylim(min(losses) - 0.05 * first, 1.6 * first)  # the end of the rise may be far above
    axes.legend()
    return figure
