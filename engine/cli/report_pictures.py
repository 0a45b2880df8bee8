"""The pictures of a run for `gradsum report`: each drawn from what is recorded, or a line on what is missing."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import CheckpointError, DataError, StorageError, UsageError
from engine.records import Run, reading, snapshots
from engine.reports.page import Picture, Pictures

if TYPE_CHECKING:
    from engine.reports.plots.gather import Drawing

SHARPNESS = 160  # dots an inch: more than most screens show, and legible in print
COLOURS = 4  # inputs of a layer that sees the image; kernels of later ones are many, and look like nothing
CSS = 96  # of CSS's pixels an inch
Say = Callable[[str], None]


def pictures(db: Path, run: Run, say: Say) -> Pictures:
    """Return all pictures of `run`, as `list_runs` has it, from the database `db` and the run's checkpoints.

    `say` is told which one is being drawn.
    """
    from engine.reports.plots import gather

    number, name = run["startID"], str(run["startID"])
    what = "loss and percent correct" if run["best_r2"] is None else "loss and R²"
    return Pictures(
        progress=_drawn(say, what, partial(gather.draw_progress, db, [name], "batch")),
        kernels=list(_kernels(db, number, say)),
        layers=_drawn(say, "the norms of every layer", partial(gather.draw_layers, db, name)),
        weights=list(_weights(db, number, say)),
        mistakes=_drawn(say, "what is taken for what", partial(_draw_mistakes, run)),
        workers=_drawn(say, "what each worker did, and how long steps took", partial(gather.draw_workers, db, name)),
    )


def _drawn(say: Say, what: str, draw: "Callable[[], Drawing]") -> Picture:
    """Return the picture that `draw` makes, or why it cannot be made."""
    say(f"drawing {what}")
    try:
        figure, _ = draw()
    except (DataError, StorageError, UsageError) as error:
        return Picture(f"No picture of {what}: {error}.")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=SHARPNESS, metadata={"Software": None})
    return Picture(what, content.getvalue(), round(CSS * figure.get_figwidth()))


def _kernels(db: Path, number: int, say: Say) -> Iterator[Picture]:
    """Yield the kernels that see the image, and over time the kernel of every convolution that moved most."""
    from engine.reports.plots import gather

    with reading(db, of_one_moment=True) as connection:
        filters = {n: s for n, s in snapshots.tensors(connection, number).items() if len(s) == 4}
        moved = {name: snapshots.moved_most(connection, number, name) for name in filters}
    for name, index in moved.items():
        layer = name.partition(".")[0]
        if filters[name][1] <= COLOURS:
            yield _drawn(say, f"all kernels of {layer}", partial(gather.draw_filters, db, str(number), layer))
        what = f"kernel {index} of {layer} over time, the one that moved most"
        yield _drawn(say, what, partial(gather.draw_kernel, db, str(number), layer, index))
    if not filters:
        yield Picture("No pictures of kernels: the run has no snapshots of a convolution (train --snapshot-every).")


def _weights(db: Path, number: int, say: Say) -> Iterator[Picture]:
    """Yield the distribution of the weights of every layer, over time."""
    from engine.reports.plots import gather

    with reading(db, of_one_moment=True) as connection:
        names = [name for name, shape in snapshots.tensors(connection, number).items() if len(shape) > 1]
    for name in names:
        yield _drawn(say, f"the values of {name}", partial(gather.draw_histogram, db, str(number), name))


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
    kind = "generated " if data.generated else ""
    title = f"step {checkpoint.step} on {kind}{data.name}"
    return confusion.draw(found, confusion.images_of(part), network.classes, title), "confusion"
