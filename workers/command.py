"""The command line of a worker: its options, and what it runs."""

import argparse
import math
import sys
from collections.abc import Sequence

from engine.errors import GradsumError
from engine.launch.worker_options import add_worker_options, keys_of
from engine.system.logs import configure_logging
from engine.system.processes import schedule_as_batch
from engine.wire import dialer_for
from workers.parent import Parent
from workers.shared_memory import WorkerMemory
from workers.worker import Worker

LARGEST = 1 << 40  # bytes of a message: the coordinator is trusted


def main(words: Sequence[str]) -> int:
    """Run a worker and return its exit code."""
    parser = argparse.ArgumentParser(prog="gradsum worker", description="Join a coordinator and work for it.")
    add_worker_options(parser, patience=math.inf)  # local workers wait for as long as their parent lives
    parser.add_argument("--tied", action="store_true", help="end when standard input, a pipe, is closed")
    parser.add_argument("--clear", action="store_true", help="and then remove the socket that is the address")
    parser.add_argument("--shared-memory", help=argparse.SUPPRESS)  # a descriptor of the parent's shared memory
    arguments = parser.parse_args(words)
    try:
        configure_logging()
        schedule_as_batch()
        keys = keys_of(arguments)
        memory = WorkerMemory.parse(arguments.shared_memory) if arguments.shared_memory else None
        parent = Parent(arguments.address if arguments.clear else None) if arguments.tied else None
        ended = Worker(dialer_for(arguments.address, LARGEST, keys), arguments.patience, memory, parent).run()
    except GradsumError as error:
        print(f"gradsum worker: {error}", file=sys.stderr)
        return error.exit_code
    if ended.code:
        print(f"gradsum worker: {ended.reason}", file=sys.stderr)
    return ended.code
