"""`gradsum worker`: workers for a coordinator elsewhere."""

import argparse

from engine.cli.command import Command
from engine.cli.exit_codes import INTERRUPTED
from engine.cli.import_option import add_import_option, imported
from engine.cli.kernel_options import add_kernel_options, chosen_kernels

PATIENCE = 600.0  # seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    from engine.launch.worker_options import add_worker_options

    add_worker_options(parser, PATIENCE)
    parser.add_argument("--processes", type=int, metavar="N", help="workers to start (default: one per core)")
    parser.add_argument(
        "--relay",
        choices=("on", "off", "auto"),
        default="auto",
        help="let one connection serve all processes: parameters come once, and one sum of their gradients goes back; "
        "auto: where there are several (default: auto)",
    )
    add_import_option(parser)
    add_kernel_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the workers until they leave; return the worst of their exit codes, or that Ctrl-C was the reason."""
    from engine.errors import UsageError
    from engine.launch.standard_input import end_with_standard_input
    from engine.launch.worker_options import keys_of, words_of
    from engine.launch.worker_pool import WorkerPool
    from engine.system.cores import usable_cores
    from engine.system.descriptors import need_for_relay
    from engine.wire.messages import MOST_PROCESSES

    count = usable_cores() if arguments.processes is None else arguments.processes
    if not 1 <= count <= MOST_PROCESSES:
        raise UsageError(f"--processes must be from 1 to {MOST_PROCESSES}, got {count}")
    keys = keys_of(arguments)  # an error is reported here once, not by every process
    with imported(arguments), chosen_kernels(arguments):
        way_in = keys.way_in() if keys and str(arguments.key) == "-" else b""
        if arguments.relay == "on" or (arguments.relay == "auto" and count > 1):
            need_for_relay(count)
            pool = WorkerPool(1, [*words_of(arguments), "--relay", str(count)], way_in=way_in, bind=anywhere)
        else:
            pool = WorkerPool(count, words_of(arguments), way_in=way_in)
        if arguments.tied:
            end_with_standard_input()
        worst = pool.run()
        return worst or (INTERRUPTED if pool.interrupted else 0)


def anywhere(pid: int, number: int) -> None:
    """Bind the relay to no core: its own processes are bound, and it stays off theirs."""


COMMAND = Command(
    "worker",
    add_options,
    run,
    examples=(
        "gradsum worker tcp://10.0.0.1:5555 --key key",
        "gradsum worker tcp://10.0.0.1,192.168.1.1:5555 --key - --once",
    ),
    description="When a run ends, the worker waits for the next one at the same address, unless it joined --once.",
)
