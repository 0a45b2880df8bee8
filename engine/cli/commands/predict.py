"""`gradsum predict`: classify images, or predict from features."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.arguments import add_checkpoint, chosen_checkpoint
from engine.cli.command import Command
from engine.cli.import_option import add_import_option, imported
from engine.cli.kernel_options import add_kernel_options, chosen_kernels
from engine.cli.tables import print_json_line
from engine.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.checkpoint import Checkpoint
    from engine.network import Network
    from engine.nn.model import Model


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_checkpoint(parser)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="image, or file of features")
    parser.add_argument("--invert", action="store_true", help="turn dark on light into light on dark, as in training")
    add_import_option(parser)
    add_kernel_options(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print, for each sample, the likeliest class and its probability, or the values."""
    with imported(arguments), chosen_kernels(arguments):
        return _predict(arguments)


def _predict(arguments: argparse.Namespace) -> int:
    from engine.checkpoint import load
    from engine.network import network_from

    path = chosen_checkpoint(arguments)
    checkpoint = load(path)
    network = network_from(checkpoint, path)
    if len(network.model.shape) == 1:
        names, outputs = _asked_rows(arguments, network)
    else:
        names, outputs = _asked_images(arguments, network, checkpoint)
    told = _classes(names, outputs, network) if network.values is None else _values(names, outputs, network)
    what = "row" if len(network.model.shape) == 1 else "image"
    if arguments.json:
        print_json_line([{what: name, **answer} for name, answer, _ in told])
    else:
        for name, _, text in told:
            print(f"{name}  {text}")
    return 0


def _asked_images(
    arguments: argparse.Namespace, network: "Network", checkpoint: "Checkpoint"
) -> "tuple[list[str], NDArray[np.float32]]":
    """Return what each image of the files is called, and the outputs for it."""
    import numpy as np

    from engine.data.reading import Manner, flat, read_images

    shape = image_shape(network.model)
    manner = Manner.stored(checkpoint.run.data.look(), network.normalisation)
    manner = manner.inverted() if arguments.invert else manner
    names: list[str] = []
    read: list[NDArray[np.uint8]] = []
    for path in arguments.files:
        images = read_images(path, shape, manner)
        if flat(images).any():
            print(f"gradsum: {path} shows one flat colour", file=sys.stderr)
        names += [str(path)] if len(images) == 1 else [f"{path}[{number}]" for number in range(len(images))]
        read.append(255 - images if arguments.invert else images)
    return names, network.logits(np.concatenate(read))


def _asked_rows(arguments: argparse.Namespace, network: "Network") -> "tuple[list[str], NDArray[np.float32]]":
    """Return what each row of the files is called, and the outputs for it."""
    import numpy as np

    from engine.data.feature_files import read_features

    if arguments.invert:
        raise DataError("--invert is for images; the network takes features")
    names: list[str] = []
    read: list[NDArray[np.float32]] = []
    for path in arguments.files:
        rows = read_features(path, network.model.shape[0], network.columns)
        names += [f"{path}[{number}]" for number in range(len(rows))]
        read.append(rows)
    return names, network.logits(np.concatenate(read))


Told = tuple[str, dict[str, Any], str]  # of which sample, what as plain data, and what as text


def _classes(names: list[str], outputs: "NDArray[np.float32]", network: "Network") -> Iterator[Told]:
    """Yield the likeliest class of each sample."""
    from engine.network import probabilities_of

    outputs = outputs[:, : len(network.classes)]
    chances = probabilities_of(outputs, network.model.loss)
    for name, best, row in zip(names, outputs.argmax(axis=1), chances, strict=True):
        word, chance = network.classes[best], float(row[best])
        yield name, {"class": word, "probability": chance}, f"{word}  {100 * chance:.1f} %"


def _values(names: list[str], outputs: "NDArray[np.float32]", network: "Network") -> Iterator[Told]:
    """Yield the values predicted for each sample, in the units of the training set, by the names of the targets."""
    keys = network.targets or tuple(str(number) for number in range(network.model.classes))
    for name, row in zip(names, network.restored(outputs).tolist(), strict=True):
        yield name, {"values": dict(zip(keys, row, strict=True))}, "  ".join(f"{value:.6g}" for value in row)


def image_shape(model: "Model") -> tuple[int, int, int]:
    """Return (H, W, C) of the images that a model takes; DataError if it takes features."""
    match model.shape:
        case (height, width, channels):
            return height, width, channels
    raise DataError(f"the network takes {model.shape[0]} features, not images")


COMMAND = Command(
    "predict",
    add_options,
    run,
    examples=(
        "gradsum predict runs/digits digit.png",
        "gradsum predict runs/digits scan.png --invert",
        "gradsum predict runs/homes new.csv",
    ),
    description="Images are PNG, PGM or another common format, or .npy with uint8 [H, W], [N, H, W] or [N, H, W, C], "
    "of the size the network was trained on, or of any size if pictures were scaled for training. A network that was "
    "trained on features takes .csv and .parquet files with columns of the same names, or .npy [N, D].",
)
