"""The command line of a worker: its options, and what it runs."""

import argparse
import math
import sys
from collections.abc import Sequence
from typing import Any

from engine.errors import GradsumError
from engine.launch.worker_options import add_worker_options, keys_of
from engine.nn.own.imports import importing
from engine.system.logs import configure_logging
from engine.system.processes import schedule_as_batch
from engine.wire import Dialer, dialer_for
from engine.wire.address import is_local
from workers.parent import Parent
from workers.session import Quit
from workers.shared_memory import WorkerMemory
from workers.worker import Worker

LARGEST = 1 << 40  # bytes of a message: the coordinator is trusted


def main(words: Sequence[str]) -> int:
    """Run a worker and return its exit code."""
    parser = argparse.ArgumentParser(prog="gradsum worker", description="Join a coordinator and work for it.")
    add_worker_options(parser, patience=math.inf)  # local workers wait for as long as their parent lives
    parser.add_argument("--clear", action="store_true", help="and then remove the socket that is the address")
    parser.add_argument("--silent", action="store_true", help="do not say why no coordinator is reached")
    parser.add_argument("--shared-memory", help=argparse.SUPPRESS)  # a descriptor of the parent's shared memory
    parser.add_argument("--relay", type=int, help=argparse.SUPPRESS)  # be a relay with so many processes
    arguments = parser.parse_args(words)
    try:
        configure_logging()
        with importing():
            ended = _run(arguments)
    except GradsumError as error:
        print(f"gradsum worker: {error}", file=sys.stderr)
        return error.exit_code
    if ended.code:
        print(f"gradsum worker: {ended.reason}", file=sys.stderr)
    return ended.code


def _tell(text: str) -> None:
    print(f"gradsum worker: {text}", file=sys.stderr, flush=True)


def _run(arguments: argparse.Namespace) -> Quit:
    """Be a worker, or a relay, and return why and how it ended."""
    keys = keys_of(arguments)
    parent = Parent(arguments.address if arguments.clear else None) if arguments.tied else None
    tell = None if arguments.silent or is_local(arguments.address) else _tell
    about: dict[str, Any] = {"once": arguments.once, "place": arguments.place, "tell": tell}
    if arguments.relay:
        # A worker needs none of it.
        from workers.relay.group import LocalGroup  # noqa: PLC0415
        from workers.relay.uplink import Uplinks  # noqa: PLC0415
        from workers.relay.worker import RelayWorker  # noqa: PLC0415

        uplink = Uplinks(Dialer(arguments.address, LARGEST, keys, tell), LARGEST, keys is None)
        with LocalGroup(arguments.relay, uplink, arguments.topology) as group:
            return RelayWorker(uplink, arguments.patience, group, parent, **about).run()
    schedule_as_batch()
    memory = WorkerMemory.parse(arguments.shared_memory) if arguments.shared_memory else None
    endpoint = dialer_for(arguments.address, LARGEST, keys, tell)
    return Worker(endpoint, arguments.patience, memory, parent, **about).run()
