"""`gradsum evaluate`: measure a trained network on the test part of a data set."""

import argparse
import json
from pathlib import Path


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a trained network on a test set",
        description="Measure a trained network on the test part of a data set.",
    )
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or a folder (its newest)")
    parser.add_argument("--data", metavar="NAME|PATH", help="a data set as for train (default: the one trained on)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate and print the accuracy."""
    from engine.checkpoint import load as load_checkpoint
    from engine.data import load
    from engine.network import network_from

    checkpoint = load_checkpoint(arguments.checkpoint)
    network = network_from(checkpoint, arguments.checkpoint)
    data = load(arguments.data or checkpoint.metadata["data"].get("source") or "letters")
    validation = network.evaluate(data)
    if arguments.json:
        print(json.dumps({"data": data.name, "generated": data.generated} | validation.asdict()))
    else:
        kind = "generated " if data.generated else ""
        print(f"{validation.percent:.2f} % correct ({validation.correct} of {validation.total} {kind}{data.name})")
        print(f"mean loss {validation.loss:.4f}")
    return 0
