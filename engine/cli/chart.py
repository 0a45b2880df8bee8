"""The picture of `gradsum bench --plot`: speed-up against workers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import SettingsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
FORMATS = (".png", ".svg", ".pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito: safe for the colour-blind
GREY = "#777777"


def check(path: Path) -> None:
    """Raise SettingsError unless a picture can be drawn to `path`: better now than after all has been measured."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise SettingsError("--plot needs matplotlib: pip install 'gradsum[plot]'") from None
    mpl.use("Agg")
    if path.suffix.lower() not in FORMATS:
        raise SettingsError(f"--plot {path}: the name must end in {', '.join(FORMATS)}")
    try:
        there = path.exists()
        path.open("ab").close()
    except OSError as error:
        raise SettingsError(f"--plot {path} cannot be written: {error.strerror}") from None
    if not there:
        path.unlink()


def draw(rows: list[Row], path: Path, *, weak: bool, cores: int) -> None:
    """Draw the rows of `bench`, of which at least one has workers: measured, limit and ideal."""
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    counts = sorted({0, *(row["workers"] for row in rows)})
    axis.plot(counts, counts, color=GREY, linewidth=0.8, label="ideal")
    _mark_cores(axis, cores, counts[-1])
    batches = list(dict.fromkeys(row["study"] for row in rows))
    for number, batch in enumerate(batches):
        some = [row for row in rows if row["study"] == batch and row["workers"]]
        colour = COLOURS[number % len(COLOURS)]
        _draw_study(axis, some, colour, f"batch {batch}" + (" a worker" if weak else ""))
    handles, labels = axis.get_legend_handles_labels()
    if any(row["limit"] is not None for row in rows):
        handles.append(Line2D([], [], linestyle=":", color="black"))
        labels.append("limit: the serial\npart of a step")
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    kind = "weak scaling: the batch grows with the workers" if weak else "strong scaling: the batch stays the same"
    axis.set_title(f"Letters network\n{kind}", fontsize="medium", loc="left")
    axis.set(xlabel="workers", ylabel="speed-up over training without workers", xticks=counts)
    axis.set_xlim(0, counts[-1] * 1.06)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _mark_cores(axis: "Axes", cores: int, most: int) -> None:
    """Show from where on workers have to share cores."""
    if cores <= most:
        axis.axvline(cores, color=GREY, linewidth=0.8, linestyle="--")
        text = f"{cores} core{'s' * (cores > 1)} "
        axis.text(cores, 0.02, text, color=GREY, fontsize="small", ha="right", transform=axis.get_xaxis_transform())


def _draw_study(axis: "Axes", rows: list[Row], colour: str, name: str) -> None:
    """Draw the medians with the range of all rounds, and the limit."""
    workers, speedups = [row["workers"] for row in rows], [row["speedup"] for row in rows]
    below = [row["speedup"] - row["slowest"] for row in rows]
    above = [row["fastest"] - row["speedup"] for row in rows]
    axis.errorbar(workers, speedups, (below, above), fmt="o-", color=colour, capsize=3, markersize=5, label=name)
    if all(row["limit"] is not None for row in rows):
        axis.plot(workers, [row["limit"] for row in rows], ":", color=colour)
