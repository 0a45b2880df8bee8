"""`gradsum evaluate`: measure a trained network on the test part of a data set."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from engine.cli.arguments import add_checkpoint, chosen_checkpoint
from engine.cli.command import Command
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint
    from engine.data import Dataset
    from engine.network import Network


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_checkpoint(parser)
    parser.add_argument("--data", metavar="NAME|PATH", help="data set, as for train (default: the one trained on)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the accuracy."""
    from engine.checkpoint import load as load_checkpoint
    from engine.network import network_from

    path = chosen_checkpoint(arguments)
    checkpoint = load_checkpoint(path)
    network = network_from(checkpoint, path)
    data = data_for(checkpoint, network, arguments)
    validation = network.evaluate(data)
    if arguments.json:
        print(json.dumps({"data": data.name, "generated": data.generated} | validation.asdict()))
    else:
        kind = "generated " if data.generated else ""
        print(f"{validation.percent:.2f} % correct ({validation.correct} of {validation.total} {kind}{data.name})")
        print(f"mean loss {validation.loss:.4f}")
    return 0


def data_for(checkpoint: "Checkpoint", network: "Network", arguments: argparse.Namespace) -> "Dataset":
    """Return the data set of --data, or else the one trained on; warn if its classes are not the network's.

    DataError if it is missing, ModelError if it does not suit the network.
    """
    from engine.data import load
    from engine.nn.model import check_fits

    source = arguments.data or checkpoint.run.data.source
    if source is None:
        raise DataError(f"{arguments.checkpoint} does not say where its data came from; name a data set with --data")
    data = load(source)
    check_fits(network.model, data.shape, len(data.classes))
    if data.classes != network.classes:
        ours, theirs = (f"{len(names)} ({', '.join(names[:3])}...)" for names in (network.classes, data.classes))
        text = f"the network was trained on other classes, {ours}, than the data has, {theirs}: compared by number"
        print(f"gradsum: {text}", file=sys.stderr)
    return data


COMMAND = Command(
    "evaluate",
    add_options,
    run,
    examples=(
        "gradsum evaluate runs/digits --data mnist",
        "gradsum evaluate runs/digits --best",
    ),
    description="Prints the percentage of correct answers and the mean loss on the test part of the data set.",
)
