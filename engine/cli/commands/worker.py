"""`gradsum worker`: workers for a coordinator elsewhere."""

import argparse

from engine.cli.command import Command
from engine.cli.kernel_options import add_kernel_options, chosen_kernels

PATIENCE = 600.0  # seconds
MOST = 4096  # processes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    from engine.launch.worker_options import add_worker_options

    add_worker_options(parser, PATIENCE)
    parser.add_argument("--processes", type=int, metavar="N", help="workers to start (default: one per core)")
    add_kernel_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the workers until they leave; return the worst of their exit codes."""
    from engine.errors import UsageError
    from engine.launch.worker_options import keys_of, words_of
    from engine.launch.worker_pool import WorkerPool
    from engine.system.cores import usable_cores

    count = usable_cores() if arguments.processes is None else arguments.processes
    if not 1 <= count <= MOST:
        raise UsageError(f"--processes must be from 1 to {MOST}, got {count}")
    keys_of(arguments)  # an error is reported here once, not by every process
    with chosen_kernels(arguments):
        return WorkerPool(count, words_of(arguments)).run()


COMMAND = Command(
    "worker",
    add_options,
    run,
    examples=("gradsum worker tcp://10.0.0.1:5555 --key key",),
    description="When a run ends, the worker waits for the next one at the same address.",
)
