"""`gradsum plot`: pictures of runs, from their records and checkpoints; one subcommand per kind.

To add a kind: an entry in KINDS, and the function that draws it.
"""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from engine.cli.arguments import WHICH, add_checkpoint, add_database, chosen_checkpoint
from engine.cli.command import Command
from engine.cli.import_option import add_import_option, imported
from engine.cli.picture_options import add_out, check_place, check_spares, need_matplotlib
from engine.cli.read_options import add_read_options

if TYPE_CHECKING:
    from engine.reports.plots.gather import Drawing

AGAINST = ("batch", "epoch", "wall", "cpu")


class Kind(NamedTuple):
    """A kind of picture: `example` has the words after its name, `file` its default file."""

    summary: str
    example: str
    file: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    draw: Callable[[argparse.Namespace], "Drawing"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the kinds of pictures, one subcommand each."""
    kinds = parser.add_subparsers(metavar="KIND", help="the kind of picture", required=True)
    for name, kind in KINDS.items():
        example = f"gradsum plot {name} {kind.example}".rstrip()
        description = f"Draw {kind.summary}."
        one = kinds.add_parser(name, help=kind.summary, description=description, examples=[example])
        kind.add_arguments(one)
        add_out(one, kind.file)
        one.set_defaults(draw=kind.draw)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add_database(parser)
    parser.add_argument("--run", metavar="RUN", help=f"the run: {WHICH} (default: the newest)")


def _add_runs(parser: argparse.ArgumentParser) -> None:
    add_database(parser)
    parser.add_argument("--run", nargs="+", metavar="RUN", help=f"the runs: {WHICH} (default: the newest)")
    parser.add_argument("--x", choices=AGAINST, default="batch", help="what to plot against (default: %(default)s)")


def _add_kernel(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("layer", metavar="LAYER", help="a convolution, such as c2")
    parser.add_argument("index", type=int, metavar="INDEX", help="its number from 0: output * inputs + input")


def _add_convolution(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("layer", metavar="LAYER", help="a convolution, such as c1")


def _add_layer(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("layer", metavar="LAYER", help="a layer, such as fc1, or one of its arrays, fc1.bias")


def _add_network(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument("--data", metavar="NAME|PATH", help="data set, as for train (default: the one trained on)")
    add_import_option(parser)
    add_read_options(parser.add_argument_group("how it is read, if not as in training"))


def _draw_progress(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_progress(arguments.db, arguments.run or [None], arguments.x)


def _draw_workers(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_workers(arguments.db, arguments.run)


def _draw_kernel(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_kernel(arguments.db, arguments.run, arguments.layer, arguments.index)


def _draw_filters(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_filters(arguments.db, arguments.run, arguments.layer)


def _draw_layers(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_layers(arguments.db, arguments.run)


def _draw_classes(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_classes(arguments.db, arguments.run)


def _draw_histogram(arguments: argparse.Namespace) -> "Drawing":
    from engine.reports.plots import gather

    return gather.draw_histogram(arguments.db, arguments.run, arguments.layer)


def _draw_confusion(arguments: argparse.Namespace) -> "Drawing":
    """Draw the answers of the network to the images that are chosen by."""
    with imported(arguments):
        return _confusion(arguments)


def _confusion(arguments: argparse.Namespace) -> "Drawing":
    from engine.checkpoint import load
    from engine.cli.commands.evaluate import data_for
    from engine.network import network_from
    from engine.reports.plots import confusion

    path = chosen_checkpoint(arguments)
    checkpoint = load(path)
    network = network_from(checkpoint, path)
    data = data_for(checkpoint, network, arguments)
    # An output beyond the classes of the data counts as an answer too, if the network was trained for it.
    classes = (*data.classes, *network.classes[len(data.classes) :])
    part = data.validating
    found = confusion.answers(network.probabilities(part.inputs, len(classes)), part.labels)
    name = path.resolve().stem
    title = f"{name} (step {checkpoint.step}) on {confusion.part_of(data)}"
    return confusion.draw(found, confusion.images_of(part), classes, title), f"confusion-{name}"


KINDS = {
    "progress": Kind(
        "loss and percent correct, or R², of one or several runs",
        "--run 1 2 --x epoch",
        "progress-<runs>.png beside the database",
        _add_runs,
        _draw_progress,
    ),
    "workers": Kind(
        "what each worker did, and how long steps took",
        "--out workers.svg",
        "workers-<run>.png beside the database",
        _add_run,
        _draw_workers,
    ),
    "kernel": Kind(
        "the values of one kernel over time, and their gradients",
        "c2 40",
        "kernel-<layer>-<index>-<run>.png beside the database",
        _add_kernel,
        _draw_kernel,
    ),
    "filters": Kind(
        "all kernels of a layer, at the first and the last snapshot",
        "c1",
        "filters-<layer>-<run>.png beside the database",
        _add_convolution,
        _draw_filters,
    ),
    "layers": Kind(
        "norms of the values, gradients and updates of every layer over time",
        "",
        "layers-<run>.png beside the database",
        _add_run,
        _draw_layers,
    ),
    "histogram": Kind(
        "how the values and gradients of a layer are distributed over time",
        "fc1",
        "histogram-<array>-<run>.png beside the database",
        _add_layer,
        _draw_histogram,
    ),
    "classes": Kind(
        "recall, precision and F1 of every class in the newest validation of a run",
        "--run 1",
        "classes-<run>.png beside the database",
        _add_run,
        _draw_classes,
    ),
    "confusion": Kind(
        "which classes a network confuses, and its worst mistakes",
        "runs/digits",
        "confusion-<its name>.png beside it",
        _add_network,
        _draw_confusion,
    ),
}


def run(arguments: argparse.Namespace) -> int:
    """Draw, save, and print where the picture is."""
    source, what = (arguments.checkpoint, "checkpoint") if "checkpoint" in arguments else (arguments.db, "database")
    if arguments.out is not None:
        check_place(arguments.out)
        check_spares(arguments.out, source, what)
    need_matplotlib()
    from engine.reports.plots import style

    with style.styled():
        figure, name = arguments.draw(arguments)
        path = arguments.out or source.parent / f"{name}.png"
        style.save(figure, path)
    print(path)
    return 0


COMMAND = Command(
    "plot",
    add_options,
    run,
    examples=tuple(f"gradsum plot {name} {KINDS[name].example}" for name in ("progress", "kernel")),
)
