"""How every picture looks and how it is written: one palette, one set of sizes, the same bytes for the same data."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from engine.errors import SettingsError
from engine.reports.plots.lettering import families
from engine.system.files import write_atomically

# Okabe and Ito (2008), told apart by colour-blind eyes, too; without the yellow, which is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Where as many as nine lines cross: the "muted" scheme of Tol (2021), made for the same eyes.
NINE = ("#332288", "#88CCEE", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#44AA99")
GREY = "#808080"
DIVERGING = "RdBu_r"  # symmetric about zero
SEQUENTIAL = "cividis"
_FEW = 40  # points of a line: fewer are seen each

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 110,
    "figure.titlesize": "large",
    "font.size": 9.5,
    "grid.alpha": 0.25,
    "image.interpolation": "nearest",
    "legend.fontsize": "small",
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "pdf.fonttype": 42,
    "savefig.dpi": 110,
    "svg.hashsalt": "gradsum",  # SVG names its parts by random numbers otherwise
}
# What would tell when, or by which version, a picture was made.
_UNSAID: dict[str, Mapping[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save within this context: matplotlib's own defaults and ours, not what the person has configured."""
    with matplotlib.style.context(_STYLE | {"font.family": families()}, after_reset=True):
        yield


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure of this size in inches, with an Agg canvas and a title."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, as .png, .svg or .pdf; SettingsError where nothing can be written."""
    kind = path.suffix.lower()
    content = io.BytesIO()
    figure.savefig(content, format=kind[1:], metadata=dict(_UNSAID[kind]))
    write(path, content.getvalue())


def write(path: Path, content: bytes) -> None:
    """Write a file, and its folder where it is missing; SettingsError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise SettingsError(f"picture {path} cannot be written: {error.strerror or error}") from None


def limit_of(values: NDArray[np.float32], percentile: float = 100) -> float:
    """Return the percentile of the finite magnitudes, 1 where there is none above 0: a scale for any values."""
    finite = np.abs(values[np.isfinite(values)])
    return (float(np.percentile(finite, percentile)) if finite.size else 0.0) or 1.0


def marks(count: int) -> dict[str, Any]:
    """Return how to mark each of `count` points of a line: where there are few, and one alone would make no line."""
    return {"marker": "o", "markersize": 3.0} if count < _FEW else {}


def percent_axis(axes: Axes) -> None:
    """Let the y axis show percent from 0 to 100."""
    axes.set_ylim(0, 102)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))


def unit_of_time(seconds: float) -> tuple[float, str]:
    """Return what to divide seconds by, and the unit's name, so that `seconds` becomes a handy number."""
    return (1.0, "s") if seconds < 300 else (60.0, "min") if seconds < 3 * 3600 else (3600.0, "h")
