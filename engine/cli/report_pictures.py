"""The pictures of a run for `gradsum report`: each drawn from what is recorded, or a line on what is missing."""

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.cli.parallel import in_parallel
from engine.errors import CheckpointError, DataError, StorageError, UsageError
from engine.records import Run, reading, snapshots
from engine.reports.groups import scores
from engine.reports.page import Picture, Pictures

if TYPE_CHECKING:
    from engine.reports.plots.gather import Drawing

SHARPNESS = 160  # dots an inch: more than most screens show, and legible in print
COLOURS = 4  # inputs of a layer that sees the image; kernels of later ones are many, and look like nothing
COMPRESSION = 3  # of 9: a twentieth larger than the usual 6, and drawn in two thirds of the time
CSS = 96  # of CSS's pixels an inch
NO_KERNELS = Picture("No pictures of kernels: the run has no snapshots of a convolution (train --snapshot-every).")
Say = Callable[[str], None]


class Task(NamedTuple):
    """A picture to draw: what it shows, and how it is drawn."""

    what: str
    draw: "Callable[[], Drawing]"


def pictures(db: Path, run: Run, say: Say) -> Pictures:
    """Return all pictures of `run`, as `list_runs` has it, from the database `db` and the run's checkpoints.

    `say` is told which one is being drawn.
    """
    from engine.reports.plots import gather

    number, name = run["startID"], str(run["startID"])
    what = "loss and R²" if scores(run).r2 else "loss and percent correct"
    single = [
        Task("what is taken for what", partial(_draw_mistakes, run)),
        Task(what, partial(gather.draw_progress, db, [name], "batch")),
        Task("the norms of every layer", partial(gather.draw_layers, db, name)),
        Task("what each worker did, and how long steps took", partial(gather.draw_workers, db, name)),
    ]
    kernels, weights = list(_kernels(db, number)), list(_weights(db, number))
    drawn = list(_all_drawn([*single, *kernels, *weights], say))
    mistakes, progress, layers, workers = drawn[: len(single)]
    rest = drawn[len(single) :]
    return Pictures(progress, rest[: len(kernels)] or [NO_KERNELS], layers, rest[len(kernels) :], mistakes, workers)


def _all_drawn(tasks: Sequence[Task], say: Say) -> Iterator[Picture]:
    """Yield the picture of every task, and say what is being waited for."""
    drawn = in_parallel(_drawn, tasks)
    for task in tasks:
        say(f"drawing {task.what}")
        yield next(drawn)


def _drawn(task: Task) -> Picture:
    """Return the picture of a task, or why it cannot be made."""
    try:
        figure, _ = task.draw()
    except (DataError, StorageError, UsageError) as error:
        return Picture(f"No picture of {task.what}: {error}.")
    content = io.BytesIO()
    quickly = {"compress_level": COMPRESSION}
    figure.savefig(content, format="png", dpi=SHARPNESS, metadata={"Software": None}, pil_kwargs=quickly)
    return Picture(task.what, content.getvalue(), round(CSS * figure.get_figwidth()))


def _kernels(db: Path, number: int) -> Iterator[Task]:
    """Yield the kernels that see the image, and over time the kernel of every convolution that moved most."""
    from engine.reports.plots import gather

    with reading(db, of_one_moment=True) as connection:
        filters = {n: s for n, s in snapshots.tensors(connection, number).items() if len(s) == 4}
        moved = {name: snapshots.moved_most(connection, number, name) for name in filters}
    for name, index in moved.items():
        layer = name.partition(".")[0]
        if filters[name][1] <= COLOURS:
            yield Task(f"all kernels of {layer}", partial(gather.draw_filters, db, str(number), layer))
        what = f"kernel {index} of {layer} over time, the one that moved most"
        yield Task(what, partial(gather.draw_kernel, db, str(number), layer, index))


def _weights(db: Path, number: int) -> Iterator[Task]:
    """Yield the distribution of the weights of every layer, over time."""
    from engine.reports.plots import gather

    with reading(db, of_one_moment=True) as connection:
        names = [name for name, shape in snapshots.tensors(connection, number).items() if len(shape) > 1]
    for name in names:
        yield Task(f"the values of {name}", partial(gather.draw_histogram, db, str(number), name))


def _draw_mistakes(run: Run) -> "Drawing":
    """Draw the mistakes of the run's newest network on the images it was validated on, if they are cached."""
    from engine.checkpoint import load
    from engine.data.cache import open_cached
    from engine.network import network_from
    from engine.reports.plots import confusion

    if not run["folder"] or not run["data_digest"]:
        raise CheckpointError("the location of its checkpoints or its data was not recorded")
    folder = Path(run["folder"])
    checkpoint = load(folder)
    if checkpoint.run.uuid != run["uuid"]:
        raise CheckpointError(f"the checkpoints in {folder} are another run's")
    network = network_from(checkpoint, folder)
    data = open_cached(run["data_digest"]).hold_out(run["settings"].get("validation", 0.0))
    part = data.validating
    found = confusion.answers(network.probabilities(part.inputs), part.labels)
    title = f"step {checkpoint.step} on {confusion.part_of(data)}"
    return confusion.draw(found, confusion.images_of(part), network.classes, title), "confusion"
