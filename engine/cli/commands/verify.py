"""`gradsum verify`: compute a checkpoint's steps again, and compare the bits."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from engine.cli.arguments import add_checkpoint, chosen_checkpoint
from engine.cli.command import Command
from engine.cli.import_option import add_import_option
from engine.cli.kernel_options import add_kernel_options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_checkpoint(parser)
    parser.add_argument(
        "--from",
        type=Path,
        dest="start",
        metavar="CHECKPOINT",
        help="begin at an earlier checkpoint of the run (default: at step 0)",
    )
    parser.add_argument("--data", metavar="NAME|PATH", help="data set, as for train (default: the one trained on)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="worker processes; 0: none (default: as for gradsum train)"
    )
    add_import_option(parser)
    add_kernel_options(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Compute, compare, and print the verdict; return 1 if other bits came out."""
    from engine.cli.live.reporters import reporter_for

    reporter = reporter_for(sys.stderr, arguments.quiet)
    try:
        reporter.status("loading")
        from engine.training.verify import verify

        verdict = verify(
            chosen_checkpoint(arguments),
            start=arguments.start,
            data=arguments.data,
            workers=arguments.workers,
            kernels=arguments.kernels,
            allow_slow=bool(arguments.allow_slow),
            import_=arguments.import_,
            reporter=reporter,
        )
    finally:
        reporter.ended()
    if arguments.json:
        print(json.dumps({"verified": verdict.differs is None} | asdict(verdict)))
    else:
        print(verdict.text())
        print(f"sha256      {verdict.sha256} (parameters and optimizer's state)")
    return 1 if verdict.differs else 0


COMMAND = Command(
    "verify",
    add_options,
    run,
    examples=(
        "gradsum verify runs/digits",
        "gradsum verify runs/digits/step-00000939.safetensors --from runs/digits/step-00000626.safetensors --workers 0",
    ),
    description="Trains again from the settings, the model and the data that the checkpoint names, with any number of "
    "workers, and compares the bits of parameters, optimizer's state and losses at the steps of which the checkpoint "
    "has digests. Exit code 0 if all are the same, 1 if not: then it says between which steps. Nothing is written.",
)
