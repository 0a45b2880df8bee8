"""From a database to a picture: finds the run, reads what the picture needs, and has it drawn.

Every function returns the figure and what to call its file. RecordsError for a database that cannot be read and for
what is not in it: a run, a layer, a kernel, snapshots; the message says what is.
"""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.errors import RecordsError
from engine.records import Run, history, reading, run_in, snapshots
from engine.records.history import Connection
from engine.reports.plots import classes, filters, histogram, kernel, layers, progress, titles, workers

Drawing = tuple[Figure, str]
# More than these are not seen in a picture of some 1,000 points across, and take long to read and to draw.
MOST_STEPS = 10_000
MOST_SNAPSHOTS = 500
MOST_COUNTED = 128  # outputs of a network whose classes are counted in training


def draw_progress(db: Path, runs: Sequence[str | None], against: str) -> Drawing:
    """Draw the curves of `runs` (None: the newest) against batch, epoch, wall or cpu."""
    with reading(db, of_one_moment=True) as connection:
        found = {run["startID"]: run for run in (run_in(connection, db, wanted) for wanted in runs)}
        courses = [progress.Course(run, *_curves(connection, run)) for run in found.values()]
    numbers = "-".join(str(course.run["startID"]) for course in courses)
    return progress.draw(courses, against), f"progress-{numbers}"


def draw_workers(db: Path, wanted: str | None) -> Drawing:
    """Draw what the workers of a run did."""
    with reading(db, of_one_moment=True) as connection:
        run = run_in(connection, db, wanted)
        number = run["startID"]
        rows, events = history.workers(connection, number), history.events(connection, number)
        training, validation = _curves(connection, run)
    return workers.draw(run, training, validation, rows, events), f"workers-{number}"


def draw_classes(db: Path, wanted: str | None) -> Drawing:
    """Draw recall, precision and F1 of every class in the newest validation of a run."""
    with reading(db, of_one_moment=True) as connection:
        run = run_in(connection, db, wanted)
        number = run["startID"]
        rows = history.classes(connection, number)
        scores = history.curves(connection, "validation", number)["corperc"]
    if not rows:
        raise RecordsError(f"run {number} has no counts of its classes: {_why_uncounted(scores)}")
    title = f"run {number}, step {rows[0]['batchno']}, {titles.data(run)}"
    return classes.draw(rows, title), f"classes-{number}"


def _why_uncounted(scores: NDArray[np.float64]) -> str:
    """Return why no classes were counted in validations that found these percentages, nan for values."""
    if not len(scores):
        return "it was not validated"
    if not np.isfinite(scores).any():
        return "it predicts values"
    return f"they are kept of networks with at most {MOST_COUNTED} outputs"


def draw_kernel(db: Path, wanted: str | None, layer: str, index: int) -> Drawing:
    """Draw kernel `index` (output * inputs + input) of a convolution over time."""
    with reading(db, of_one_moment=True) as connection:
        run, name, shape = _filter(connection, db, wanted, layer)
        count, size = prod(shape[:2]), prod(shape[2:])
        if not 0 <= index < count:
            raise RecordsError(f"{layer} has no kernel {index}; it has {count}, numbered from 0 to {count - 1}")
        number = run["startID"]
        found = snapshots.series(connection, number, name, index * size, (index + 1) * size, MOST_SNAPSHOTS)
    what = f"{layer}, kernel {index}"
    if shape[1] > 1:
        what += f" (from input {index % shape[1]} to output {index // shape[1]})"
    return kernel.draw(run, what, (shape[2], shape[3]), *found), f"kernel-{layer}-{index}-{number}"


def draw_filters(db: Path, wanted: str | None, layer: str) -> Drawing:
    """Draw all kernels of a convolution at the first and the last snapshot."""
    with reading(db, of_one_moment=True) as connection:
        run, name, _ = _filter(connection, db, wanted, layer)
        number = run["startID"]
        ends = snapshots.ends(connection, number, name)
        first, last = ((step, snapshots.tensor(connection, number, name, step)[0]) for step in ends)
    return filters.draw(run, layer, first, last), f"filters-{layer}-{number}"


def draw_layers(db: Path, wanted: str | None) -> Drawing:
    """Draw the norms of every layer over time."""
    with reading(db, of_one_moment=True) as connection:
        run = run_in(connection, db, wanted)
        number = run["startID"]
        rows = snapshots.statistics(connection, number, MOST_SNAPSHOTS)
    if not rows:
        raise RecordsError(f"run {number} has no statistics of its layers; {_how_to_get_statistics(run)}")
    norms = []
    for name in dict.fromkeys(f"{row.name}.{row.subname}" for row in rows):
        mine = [row for row in rows if f"{row.name}.{row.subname}" == name]
        columns = [(row.batchno, row.values_norm, row.gradients_norm, row.updates_norm) for row in mine]
        norms.append(layers.Norms(name, *np.array(columns, np.float64).T))
    return layers.draw(run, norms), f"layers-{number}"


def _how_to_get_statistics(run: Run) -> str:
    """Return what to do for statistics: those that are on by default come too late for a short run."""
    if every := run["settings"].get("statistics_every"):
        return f"they are taken every {every:,} steps: train for longer, or with a smaller --statistics-every"
    return "train with --statistics-every"


def draw_histogram(db: Path, wanted: str | None, layer: str) -> Drawing:
    """Draw the distribution over time of a layer's filter or weights, or of the array named in full ("fc1.bias")."""
    with reading(db, of_one_moment=True) as connection:
        run, known = _tensors(connection, db, wanted)
        name = layer if layer in known else next((full for full in known if full.startswith(f"{layer}.")), None)
        if name is None:
            raise RecordsError(f"run {run['startID']} has no snapshots of a layer {layer!r}; it has {_layers(known)}")
        number = run["startID"]
        values, gradients = (_bins(connection, number, name, what) for what in ("values", "gradients"))
    return histogram.draw(run, name, values, gradients), f"histogram-{name}-{number}"


def _bins(connection: Connection, run: int, name: str, what: str) -> list[histogram.Bins]:
    """Return the histograms of an array's values or gradients, ascending by step."""
    rows = snapshots.histograms(connection, run, name, what, MOST_SNAPSHOTS)
    if not rows:
        raise RecordsError(f"run {run} has no histogram of finite {what} of {name}")
    return [histogram.Bins(step, low, high, np.array(counts, np.float64)) for step, low, high, counts in rows]


def _curves(connection: Connection, run: Run) -> tuple[history.Curves, history.Curves]:
    number = run["startID"]
    training, validation = (
        history.curves(connection, "training", number, MOST_STEPS),
        history.curves(connection, "validation", number, MOST_STEPS),
    )
    return training, validation


def _tensors(connection: Connection, db: Path, wanted: str | None) -> tuple[Run, dict[str, tuple[int, ...]]]:
    """Return the run, and the shapes of its arrays that are in snapshots, by name."""
    run = run_in(connection, db, wanted)
    known = snapshots.tensors(connection, run["startID"])
    if not known:
        raise RecordsError(f"run {run['startID']} has no snapshots; train with --snapshot-every or --snapshot-first")
    return run, known


def _filter(connection: Connection, db: Path, wanted: str | None, layer: str) -> tuple[Run, str, tuple[int, ...]]:
    """Return the run, and the name and shape [out, in, H, W] of the kernels of one of its layers."""
    run, known = _tensors(connection, db, wanted)
    name = f"{layer}.filter"
    if name not in known:
        convolutions = ", ".join(full.removesuffix(".filter") for full in known if full.endswith(".filter"))
        has = f"; those that have are {convolutions}" if convolutions else ": it is not convolutional"
        if any(full.startswith(f"{layer}.") for full in known):
            raise RecordsError(f"layer {layer} of run {run['startID']} has no kernels{has}")
        raise RecordsError(
            f"run {run['startID']} has no snapshots of a layer {layer!r}; layers with kernels: {convolutions or 'none'}"
        )
    return run, name, known[name]


def _layers(known: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in known))
