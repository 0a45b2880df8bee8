"""`gradsum evaluate`: measure a trained network on a part of a data set."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.cli.arguments import add_checkpoint, chosen_checkpoint
from engine.cli.command import Command
from engine.cli.import_option import add_import_option, imported
from engine.cli.kernel_options import add_kernel_options, chosen_kernels
from engine.cli.read_options import add_read_options, chosen_options
from engine.cli.tables import print_json_line, print_rows
from engine.errors import DataError, UsageError

COUNTS = ("samples", "answers", "correct")
PARTS = ("train", "validation", "test")

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint, RunState
    from engine.compute.validation import Validation
    from engine.data import Dataset, Split
    from engine.data.read_options import ReadOptions
    from engine.network import Network


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_checkpoint(parser)
    parser.add_argument("--data", metavar="NAME|PATH", help="data set, as for train (default: the one trained on)")
    add_read_options(parser.add_argument_group("how it is read, if not as in training"))
    parser.add_argument(
        "--part",
        choices=PARTS,
        default="validation",
        help="what to measure it on; validation is what was chosen by in training, test is to be read once, at the end "
        "(default: validation)",
    )
    parser.add_argument(
        "--by-class", action="store_true", help="print samples, recall, precision and F1 of every class, too"
    )
    add_import_option(parser)
    add_kernel_options(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the accuracy."""
    with imported(arguments), chosen_kernels(arguments):
        return _evaluate(arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from engine.checkpoint import load as load_checkpoint
    from engine.compute.tally import MAX_TALLIED
    from engine.network import network_from
    from engine.reports.text import CLASSES, data_name

    path = chosen_checkpoint(arguments)
    checkpoint = load_checkpoint(path)
    network = network_from(checkpoint, path)
    data = data_for(checkpoint, network, arguments)
    part: str = arguments.part
    if arguments.by_class and (network.values is not None or network.model.classes > MAX_TALLIED):
        raise UsageError(f"--by-class is for networks with classes, at most {MAX_TALLIED} outputs")
    validation = network.evaluate(data, part)
    classes = class_rows(validation, network.classes) if arguments.by_class else []
    if part == "test" and data.validation is None and _is_trained_on(checkpoint, arguments.data):
        text = "training chose by this part, so this is not the figure of a test; train --validation 0.1 leaves one"
        print(f"gradsum: {text}", file=sys.stderr)
    if arguments.json:
        told = {"data": data.name, "generated": data.generated, "part": part} | validation.asdict()
        print_json_line(told | ({"classes": classes} if classes else {}))
        return 0
    of = f"{validation.total} rows of" if network.values else f"{validation.correct} of {validation.total}"
    print(f"{validation.text()} ({of} {data_name(data.name, data.generated)}, {part} part)")
    print(f"mean loss {validation.loss:.4f}")
    for name, error in zip(target_names(network), root_mean_squared_errors(network, data.part(part)), strict=True):
        print(f"root mean squared error of {name} {error:.6g}")
    if classes:
        print_rows(CLASSES, classes)
    return 0


def class_rows(validation: "Validation", names: Sequence[str]) -> list[dict[str, object]]:
    """Return a row for each class, with the columns that the table `classes` has for it."""
    from engine.compute.tally import scores_of

    rows: list[dict[str, object]] = []
    for score in scores_of(validation.tally) if validation.tally else ():
        name = names[score.number] if score.number < len(names) else None
        rates = {"recall": score.recall, "precision": score.precision, "f1": score.f1}
        rows.append({"number": score.number, "name": name} | {k: getattr(score, k) for k in COUNTS} | rates)
    return rows


def data_for(checkpoint: "Checkpoint", network: "Network", arguments: argparse.Namespace) -> "Dataset":
    """Return the data set of --data, or else the one trained on; warn if its classes are not the network's.

    DataError if it is missing, ModelError if it does not suit the network.
    """
    from engine.data import load

    run, source = checkpoint.run, arguments.data or checkpoint.run.data.source
    if source is None:
        raise DataError(f"{arguments.checkpoint} does not say where its data came from; name a data set with --data")
    data = load(source, **_reading(run, arguments).given())
    network.check_fits(data)
    if fraction := run.settings.get("validation"):
        data = _as_trained(data, run.data.digest, fraction)
    if data.classes != network.classes:
        ours, theirs = (f"{len(names)} ({', '.join(names[:3])}...)" for names in (network.classes, data.classes))
        text = f"the network was trained on other classes, {ours}, than the data has, {theirs}: compared by number"
        print(f"gradsum: {text}", file=sys.stderr)
    return data


def _reading(run: "RunState", arguments: argparse.Namespace) -> "ReadOptions":
    """Return how the data is to be read: as was chosen here, and else as in training; of other data, as a table was."""
    from engine.data.read_options import ReadOptions
    from engine.training.reading import reading_of

    asked, before = ReadOptions(**chosen_options(vars(arguments))), reading_of(run)
    if arguments.data:
        before = ReadOptions(target_column=before.target_column, task=before.task if run.data.columns else None)
    return asked.over(before)


def _is_trained_on(checkpoint: "Checkpoint", source: str | None) -> bool:
    """Tell whether a source, None for the one trained on, is that."""
    from engine.data.sources import full_path

    return source is None or full_path(source) == checkpoint.run.data.source


def _as_trained(data: "Dataset", digest: str | None, fraction: float) -> "Dataset":
    """Return the data with what training held out of it, if it is the data of that digest; else as it is."""
    from engine.data.cache import store

    return data.hold_out(fraction) if store(data) == digest else data


def target_names(network: "Network") -> list[str]:
    """Return what the values are called that the network predicts; nothing if it predicts none."""
    if network.values is None:
        return []
    count = network.model.classes
    return list(network.targets) or [f"target {number}" if count > 1 else "the target" for number in range(count)]


def root_mean_squared_errors(network: "Network", part: "Split") -> list[float]:
    """Return the error of every value on a part of the data, in its own units; nothing where there are classes."""
    import numpy as np

    if network.values is None:
        return []
    errors = network.predict(part.inputs).astype(np.float64) - part.targets
    return [float(error) for error in np.sqrt(np.square(errors).mean(axis=0))]


COMMAND = Command(
    "evaluate",
    add_options,
    run,
    examples=(
        "gradsum evaluate runs/digits --data mnist",
        "gradsum evaluate runs/digits --best --part test",
    ),
    description="Prints the percentage of correct answers, or R², and the mean loss on a part of the data set.",
)
