"""`gradsum worker`: workers for a coordinator elsewhere."""

import argparse
import math
from pathlib import Path

from engine.cli.command import Command

PATIENCE = 600.0  # seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "address", metavar="ADDRESS", help="where the coordinator listens, for example tcp://10.0.0.1:5555"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="the coordinator's key file, or a copy of it")
    parser.add_argument("--insecure", action="store_true", help="join another machine without keys")
    parser.add_argument("--processes", type=int, metavar="N", help="workers to start (default: one per core)")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help=f"leave when no coordinator says anything for this long (default: {PATIENCE:g})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the workers until they leave; return the worst of their exit codes."""
    from engine.errors import UsageError
    from engine.launch.worker_pool import WorkerPool
    from engine.system.clock import MonotonicClock
    from engine.system.processes import usable_cores
    from engine.wire.keys import keys_to_join

    count = usable_cores() if arguments.processes is None else arguments.processes
    if not 1 <= count <= 4096:
        raise UsageError(f"--processes must be from 1 to 4096, got {count}")
    if not 0 < arguments.patience < math.inf:
        raise UsageError(f"--patience must be a number of seconds above 0, got {arguments.patience:g}")
    keys_to_join(arguments.address, arguments.key, arguments.insecure)  # what is wrong is said here once, not by each
    options = [arguments.address, "--patience", repr(arguments.patience)]
    options += ["--key", str(arguments.key)] if arguments.key else []
    options += ["--insecure"] if arguments.insecure else []
    return WorkerPool(count, options, MonotonicClock()).run()


COMMAND = Command(
    "worker",
    add_options,
    run,
    examples=("gradsum worker tcp://10.0.0.1:5555 --key key",),
    description="When a run ends, the worker waits for the next one at the same address.",
)
