"""Start a worker: `python -m workers ADDRESS`, or this file by its path."""

import argparse
import math
import os
import sys
from pathlib import Path

# PYTHONPATH may have another `engine` or `workers`. Once ours are imported, their modules are found by their own paths.
ROOT = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, ROOT)
import workers  # noqa: E402, F401
from engine.errors import GradsumError  # noqa: E402

sys.path.remove(ROOT)

from engine.launch.worker_options import add_worker_options, keys_of  # noqa: E402
from engine.system.blas import ONE_THREAD  # noqa: E402
from engine.system.logs import configure_logging  # noqa: E402
from engine.system.signals import near_limit_ignored  # noqa: E402

LARGEST = 1 << 40  # bytes of a message: the coordinator is trusted


def main() -> int:
    """Run a worker and return its exit code."""
    parser = argparse.ArgumentParser(prog="gradsum worker", description="Join a coordinator and work for it.")
    add_worker_options(parser, patience=math.inf)  # local workers wait for as long as their parent lives
    parser.add_argument("--tied", action="store_true", help="end when standard input, a pipe, is closed")
    parser.add_argument("--clear", action="store_true", help="and then remove the socket that is the address")
    parser.add_argument("--shared-memory", help=argparse.SUPPRESS)  # a descriptor of the parent's shared memory
    arguments = parser.parse_args()
    os.environ.update(ONE_THREAD)  # before numpy is imported
    from engine.wire import Dialer  # noqa: PLC0415
    from workers.parent import Parent  # noqa: PLC0415
    from workers.shared_memory import WorkerMemory  # noqa: PLC0415
    from workers.worker import Worker  # noqa: PLC0415

    try:
        configure_logging()
        keys = keys_of(arguments)
        memory = WorkerMemory.parse(arguments.shared_memory) if arguments.shared_memory else None
        parent = Parent(arguments.address if arguments.clear else None) if arguments.tied else None
        ended = Worker(Dialer(arguments.address, LARGEST, keys), arguments.patience, memory, parent).run()
    except GradsumError as error:
        print(f"gradsum worker: {error}", file=sys.stderr)
        return error.exit_code
    if ended.code:
        print(f"gradsum worker: {ended.reason}", file=sys.stderr)
    return ended.code


if __name__ == "__main__":
    with near_limit_ignored():  # sent to every process of a job, but for the coordinator alone to act on
        sys.exit(main())
