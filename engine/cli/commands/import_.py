"""`gradsum import`: make a checkpoint of a network that was trained elsewhere."""

import argparse
import json
from pathlib import Path

from engine.cli.command import Command
from engine.errors import SettingsError
from engine.training.defaults import DEFAULT_DB


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a safetensors file, with our names or PyTorch's")
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        help="letters, mlp, lenet, resnet8, vgg7, or a TOML file (default: as a file of gradsum export says)",
    )
    parser.add_argument(
        "--shape",
        type=int,
        nargs="+",
        metavar="N",
        default=(),
        help="H W C of images, or the number of features, if neither FILE nor the TOML file says it (default: 28 28 1)",
    )
    parser.add_argument(
        "--classes", metavar="NAMES", help="a name for every output, with commas between (default: 0,1,...)"
    )
    parser.add_argument(
        "--mean",
        metavar="NUMBERS",
        help="of each channel, as pixels from 0 to 1, or of each feature, with commas between (default: 0)",
    )
    parser.add_argument("--deviation", metavar="NUMBERS", help="the standard deviation, likewise (default: 1)")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FOLDER", help=f"folder of the checkpoint (default: {DEFAULT_DB.parent}/NAME)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise SettingsError(f"--classes must be names that differ, none of them empty, got {text!r:.60}")
    return names


def run(arguments: argparse.Namespace) -> int:
    """Write the checkpoint and print where it is."""
    from engine.checkpoint import params_sha256, save
    from engine.export.imported import ImportOptions, import_file
    from engine.network import network_from

    asked = ImportOptions(
        arguments.model,
        tuple(arguments.shape),
        _names(arguments.classes) if arguments.classes else (),
        _numbers("mean", arguments.mean),
        _numbers("deviation", arguments.deviation),
    )
    checkpoint = import_file(arguments.file, asked)
    network = network_from(checkpoint, arguments.file)  # says what cannot be
    path = save(arguments.out or DEFAULT_DB.parent / arguments.file.stem, checkpoint)
    size = len(network.parameters)
    if arguments.json:
        sha = params_sha256(checkpoint.parameters)
        print(json.dumps({"checkpoint": str(path), "params_sha256": sha, "parameters": size}))
        return 0
    mean, deviation = ([f"{number:.4g}" for number in one] for one in vars(network.normalisation).values())
    unit = "pixels, 0 to 255," if len(network.model.shape) == 3 else "features"
    print(f"{path}: {size:,} parameters")
    print(f"{unit} are normalised by mean {', '.join(mean)} and deviation {', '.join(deviation)}")
    return 0


def _numbers(name: str, text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in (text or "").split(",") if text)
    except ValueError:
        raise SettingsError(f"--{name} must be numbers with commas between, got {text!r:.60}") from None


COMMAND = Command(
    "import",
    add_options,
    run,
    examples=(
        "gradsum import model.safetensors --model file.toml",
        "gradsum import net.safetensors --model net.toml --mean 0.1307 --deviation 0.3081 --classes cat,dog",
    ),
    description="The file must have all parameters of the model, and no others, by name and shape. The checkpoint is "
    "for predict, evaluate, export and train --from.",
)
