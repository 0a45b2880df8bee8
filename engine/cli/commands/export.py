"""`gradsum export`: write a trained network for other programs."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.arguments import add_checkpoint, chosen_checkpoint
from engine.cli.command import Command
from engine.cli.import_option import add_import_option, imported
from engine.cli.out_files import check_spared
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.checkpoint import RunState
    from engine.export import Exported

ENDINGS = {"onnx": ".onnx", "torch": ".py", "safetensors": ".safetensors"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_checkpoint(parser)
    parser.add_argument(
        "--to",
        choices=list(ENDINGS),
        required=True,
        help="onnx: one file for any runtime; torch: a PyTorch module and its parameters; safetensors: parameters only",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="the file (default: NAME.onnx and so on, NAME being the run's)"
    )
    add_import_option(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write the files and print which, and how far an ONNX file's answers are from ours."""
    with imported(arguments):
        return _export(arguments)


def _export(arguments: argparse.Namespace) -> int:
    from engine.checkpoint import load, newest
    from engine.network import network_from

    path = chosen_checkpoint(arguments)
    checkpoint = load(path)
    network = network_from(checkpoint, path)
    out: Path = arguments.out or Path(_name(checkpoint.run) + ENDINGS[arguments.to])
    _check(out, newest(path) if path.is_dir() else path, arguments.to)
    save = {"onnx": network.save_onnx, "torch": network.save_torch, "safetensors": network.save_safetensors}
    done = save[arguments.to](out)
    if arguments.json:
        print(json.dumps(_plain(done) | {"params_sha256": network.model.layout().sha256(network.parameters)}))
    else:
        print("\n".join(_lines(done, arguments.to)))
    return 0


def _name(run: "RunState") -> str:
    """Return what the files of a run are called: as the run, or else its model."""
    return re.sub(r"\W+", "_", run.name or Path(run.model_name or "").stem) or "network"


def _check(out: Path, checkpoint: Path, kind: str) -> None:
    """Raise UsageError if a file cannot or should not be written to `out`."""
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file in it, such as {out / 'network.onnx'}")
    for place in (out, out.with_suffix(ENDINGS["safetensors"])):
        if place.exists() and place.samefile(checkpoint):
            raise UsageError(f"{place} is the checkpoint itself; name another file with --out")
    check_spared(out, "--out")
    if kind == "torch":
        check_spared(out.with_suffix(ENDINGS["safetensors"]), "--out")


def _plain(done: "Exported") -> dict[str, object]:
    compared = {"difference": done.difference, "scale": done.scale, "same": done.same, "samples": done.samples}
    return {"files": [str(path) for path in done.files], **(compared if done.samples else {})}


def _lines(done: "Exported", kind: str) -> list[str]:
    """Return what was written, and how it was checked."""
    from engine.reports.text import size

    lines = [f"{path}: {size(path.stat().st_size)}" for path in done.files]
    if done.samples:
        what = "outputs" if done.same is None else "logits"
        same = ", for" if done.same is None else f"; the same class for {done.same} of"
        lines.append(
            f"onnxruntime's {what} differ from ours by {done.difference:.2g} at most, where the largest is "
            f"{done.scale:.3g}{same} {done.samples} random samples"
        )
    elif kind == "onnx":
        lines.append("not compared with our logits: onnxruntime is not installed")
    return lines


COMMAND = Command(
    "export",
    add_options,
    run,
    examples=(
        "gradsum export runs/digits --to onnx",
        "gradsum export runs/digits --best --to torch -o digits.py",
    ),
    description="The files take samples as predict does, images as bytes: the normalisation is inside, and classes, "
    "sizes and the hash of the parameters are in the metadata.",
)
