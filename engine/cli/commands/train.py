"""`gradsum train`: train a network, watch it, and find out where everything is."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.cli import streams
from engine.cli.command import Command
from engine.cli.exit_codes import INTERRUPTED
from engine.cli.run_options import TEXTS, add_run_options, given_options
from engine.system.collector import loading
from engine.system.signals import near_limit_ignored

if TYPE_CHECKING:
    from engine.training.reporter import Result


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_run_options(parser, {})


def run(arguments: argparse.Namespace) -> int:
    """Train, and print where everything is."""
    with loading():
        given = given_options(arguments, TEXTS)
    return train_with(*given)


def train_with(given: Mapping[str, Any], quiet: bool, as_json: bool) -> int:
    """Train with what `given_options` returned, and print where everything is."""
    from engine.cli.live.reporters import reporter_for

    reporter = reporter_for(sys.stderr, quiet)
    try:
        reporter.status("loading")
        with loading():
            from engine.training.train import train

        result = train(reporter=reporter, **given)
    finally:
        reporter.ended()
    with streams.saved(result.state == "interrupted"), near_limit_ignored():  # SIGXCPU comes again every second
        _print_summary(result, given.get("import_"))
        if as_json:
            print(json.dumps(result.asdict()))
    if result.state == "interrupted" and given.get("or_begin"):
        _begin_again(result)
    return INTERRUPTED if result.state == "interrupted" else 0


def _begin_again(result: "Result") -> None:
    """Put a job of Slurm that is about to end, and whose command begins where it stopped, back into the queue."""
    if "SIGTERM" not in result.reason:
        return
    from engine.launch.slurm import requeue

    if done := requeue():
        print(done, flush=True)


def _print_summary(result: "Result", own: str | None) -> None:
    from engine.reports.text import data_name, size

    seen, more = result.validation, f" --import {shlex.quote(own)}" if own else ""
    if result.state == "interrupted":
        folder = shlex.quote(str(result.checkpoint.parent))
        print(f"Interrupted after step {result.steps}. Resume with:\n  gradsum train --resume {folder}{more}")
    elif not result.steps_taken:
        print(f"No step was taken: {result.reason}. Give more --steps, --epochs, --time-limit or --target to continue.")
    if seen is not None:
        data = data_name(result.data, result.generated)
        what = f"{seen.correct} of {seen.total} {data}" if seen.r2 is None else f"{seen.total} rows of {data}"
        print(f"{seen.text()} ({what}) after {seen.step} step{'s' * (seen.step != 1)}")
    who = f"{result.workers or 'no'} worker" + "s" * (result.workers != 1)
    print(f"{result.images_per_second:,.0f} {result.unit}/s with {who}, {result.wall_seconds:.1f} s")
    bytes_ = "" if result.records_bytes is None else f", {size(result.records_bytes)}"
    print(f"records     {result.db} (run {result.run}{bytes_})")
    if result.unwritten:
        print(f"unwritten   {result.unwritten}: rows that the database did not take; resuming the run reads them in")
    print(f"checkpoint  {result.checkpoint}")
    if best := result.best:
        where = best.checkpoint or "its checkpoint is not there any more"
        print(f"best        {where} ({best.text()} after step {best.step})")
    if seen is not None and result.parts.test is None:
        print("test        none: what was chosen by is not a test (--validation 0.1 leaves a part to test with)")
    elif seen is not None:
        print(f"test        gradsum evaluate {shlex.quote(str(result.checkpoint.parent))} --best --part test{more}")


COMMAND = Command(
    "train",
    add_options,
    run,
    examples=(
        "gradsum train --data mnist --model lenet --epochs 5 --out runs/digits",
        "gradsum train --resume runs/digits --epochs 10",
    ),
    description="Worker processes run on this machine and, with --bind, on others too; with --workers 0 this process "
    "computes alone. The result is the same, to the bit, with any number of workers.",
)
