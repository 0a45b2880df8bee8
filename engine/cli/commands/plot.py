"""`gradsum plot`: pictures of runs, from their records and checkpoints; one subcommand per kind."""

import argparse
from typing import TYPE_CHECKING

from engine.cli.arguments import WHICH, add_checkpoint, add_database
from engine.cli.command import Command
from engine.cli.pictures import add_out, check_place, check_spares, need_matplotlib

if TYPE_CHECKING:
    from engine.reports.plots.gather import Picture

    Kinds = argparse._SubParsersAction[argparse.ArgumentParser]

AGAINST = ("batch", "epoch", "wall", "cpu")
EXAMPLES = {
    "progress": "gradsum plot progress --run 1 2 --x epoch",
    "workers": "gradsum plot workers --out workers.svg",
    "kernel": "gradsum plot kernel c2 40",
    "filters": "gradsum plot filters c1",
    "layers": "gradsum plot layers",
    "histogram": "gradsum plot histogram fc1",
    "confusion": "gradsum plot confusion runs/digits",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the kinds of pictures, one subcommand each."""
    kinds = parser.add_subparsers(metavar="KIND", help="the kind of picture", required=True)
    _add_progress(kinds)
    _add_kind(kinds, "workers", "what each worker did, and how long steps took")
    kernel = _add_kind(kinds, "kernel", "the values of one kernel over time, and their gradients")
    kernel.add_argument("layer", metavar="LAYER", help="a convolution, such as c2")
    kernel.add_argument("index", type=int, metavar="INDEX", help="its number from 0: output * inputs + input")
    filters = _add_kind(kinds, "filters", "all kernels of a layer, at the first and the last snapshot")
    filters.add_argument("layer", metavar="LAYER", help="a convolution, such as c1")
    _add_kind(kinds, "layers", "norms of the values, gradients and updates of every layer over time")
    histogram = _add_kind(kinds, "histogram", "how the values and gradients of a layer are distributed over time")
    histogram.add_argument("layer", metavar="LAYER", help="a layer, such as fc1, or one of its arrays, fc1.bias")
    _add_confusion(kinds)


def _add_kind(kinds: "Kinds", name: str, text: str) -> argparse.ArgumentParser:
    """Add a kind of picture of one run."""
    parser = _parser(kinds, name, text)
    parser.add_argument("--run", metavar="RUN", help=f"the run: {WHICH} (default: the newest)")
    return parser


def _add_progress(kinds: "Kinds") -> None:
    parser = _parser(kinds, "progress", "loss and percent correct, or R², of one or several runs")
    parser.add_argument("--run", nargs="+", metavar="RUN", help=f"the runs: {WHICH} (default: the newest)")
    parser.add_argument("--x", choices=AGAINST, default="batch", help="what to plot against (default: %(default)s)")


def _add_confusion(kinds: "Kinds") -> None:
    text = "which classes a network confuses, and its worst mistakes"
    parser = kinds.add_parser("confusion", help=text, description=f"Draw {text}.", examples=[EXAMPLES["confusion"]])
    add_checkpoint(parser)
    parser.add_argument("--data", metavar="NAME|PATH", help="data set, as for train (default: the one trained on)")
    add_out(parser, "confusion-<its name>.png beside it")
    parser.set_defaults(draw=_draw_confusion)


def _parser(kinds: "Kinds", name: str, text: str) -> argparse.ArgumentParser:
    """Add a kind of picture that is drawn from a database."""
    parser = kinds.add_parser(name, help=text, description=f"Draw {text}.", examples=[EXAMPLES[name]])
    add_database(parser)
    add_out(parser, f"{name}-<run>.png beside the database")
    parser.set_defaults(draw=_draw_records, kind=name)
    return parser


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


def _draw_records(arguments: argparse.Namespace) -> "Picture":
    """Draw what is in the database."""
    from engine.reports.plots import gather

    db, run = arguments.db, arguments.run
    match arguments.kind:
        case "progress":
            return gather.draw_progress(db, run or [None], arguments.x)
        case "workers":
            return gather.draw_workers(db, run)
        case "kernel":
            return gather.draw_kernel(db, run, arguments.layer, arguments.index)
        case "filters":
            return gather.draw_filters(db, run, arguments.layer)
        case "layers":
            return gather.draw_layers(db, run)
        case _:
            return gather.draw_histogram(db, run, arguments.layer)


def _draw_confusion(arguments: argparse.Namespace) -> "Picture":
    """Draw the answers of the network to the test images."""
    from engine.checkpoint import load
    from engine.cli.commands.evaluate import data_for
    from engine.network import network_from
    from engine.reports.plots import confusion

    checkpoint = load(arguments.checkpoint)
    network = network_from(checkpoint, arguments.checkpoint)
    data = data_for(checkpoint, network, arguments)
    # An output beyond the classes of the data counts as an answer too, if the network was trained for it.
    classes = (*data.classes, *network.classes[len(data.classes) :])
    found = confusion.answers(network.probabilities(data.test.inputs, len(classes)), data.test.labels)
    kind = "generated " if data.generated else ""
    name = arguments.checkpoint.resolve().stem
    title = f"{name} (step {checkpoint.step}) on {kind}{data.name}"
    return confusion.draw(found, confusion.images_of(data.test), classes, title), f"confusion-{name}"


COMMAND = Command(
    "plot",
    add_options,
    run,
    examples=(EXAMPLES["progress"], EXAMPLES["kernel"]),
)
