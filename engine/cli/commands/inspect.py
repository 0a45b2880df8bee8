"""`gradsum inspect`: show what a model is compiled to."""

import argparse
import json
from dataclasses import asdict
from math import prod
from typing import TYPE_CHECKING, Any

from engine.cli.command import Command
from engine.cli.import_option import add_import_option, imported
from engine.cli.tables import console

if TYPE_CHECKING:
    from engine.compute.program import OperationInfo


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="letters, mlp, lenet, resnet8, vgg7, or a TOML file")
    parser.add_argument(
        "--shape",
        type=int,
        nargs="+",
        metavar="N",
        default=[28, 28, 1],
        help="H W C of images, or the number of features (default: 28 28 1)",
    )
    parser.add_argument(
        "--classes", type=int, default=26, metavar="N", help="classes of a built-in model (default: %(default)s)"
    )
    parser.add_argument("--microbatch", type=int, default=8, metavar="N", help="of images (default: %(default)s)")
    add_import_option(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Compile the model and print its operations."""
    with imported(arguments):
        return _inspect(arguments)


def _inspect(arguments: argparse.Namespace) -> int:
    from engine.compute.program import compile_model
    from engine.kernels import choose
    from engine.nn.built_in import load_model
    from engine.nn.own.check import check_own
    from engine.settings import Settings

    Settings(microbatch=arguments.microbatch)
    model = load_model(arguments.model, tuple(arguments.shape), arguments.classes)
    check_own(model)
    operations = compile_model(model, arguments.microbatch).operations()
    if arguments.json:
        print(json.dumps([asdict(operation) | {"bytes": moved(operation)} for operation in operations]))
        return 0
    _print_table(operations)
    total = sum(operation.parameters for operation in operations)
    flops = sum(operation.flops_forward + operation.flops_backward for operation in operations)
    print(f"{total:,} parameters, {flops / 1e6:.1f} MFLOP per sample and step, {choose().name} kernels")
    return 0


def moved(operation: "OperationInfo") -> int:
    """Return the bytes of a sample's input and output, and of the parameters shared by a chunk."""
    return 4 * (prod(operation.input) + prod(operation.output) + operation.parameters // operation.chunk)


def _print_table(operations: "list[OperationInfo]") -> None:
    """Print a table that fits into 80 columns for the built-in models; in full if the output is piped."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for heading in ("layers", "kernel", "input", "output"):
        table.add_column(heading)
    for heading in ("parameters", "MFLOP", "backward", "kB", "samples\nat once"):
        table.add_column(heading, justify="right")
    for o in operations:
        shapes = ["x".join(map(str, shape)) for shape in (o.input, o.output)]
        numbers: list[Any] = [f"{o.parameters:,}", f"{o.flops_forward / 1e6:.3f}", f"{o.flops_backward / 1e6:.3f}"]
        table.add_row(o.name, o.kernel, *shapes, *numbers, f"{moved(o) / 1e3:.1f}", str(o.chunk))
    console().print(table)


COMMAND = Command(
    "inspect",
    add_options,
    run,
    examples=(
        "gradsum inspect letters",
        "gradsum inspect model.toml --shape 32 32 3",
    ),
    description="Prints the operations of the compiled model: for one sample, shapes, multiplications and additions of "
    "the direct formula and bytes, and the kernel that was chosen.",
)
