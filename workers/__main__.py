"""Start a worker: `python -m workers ADDRESS`."""

import argparse
import math
import os
import sys
from pathlib import Path

from engine.address import Address
from engine.curve import Keys
from engine.errors import GradsumError, UsageError
from engine.threads import ONE_THREAD


def main() -> int:
    """Run a worker and return its exit code."""
    parser = argparse.ArgumentParser(prog="gradsum worker", description="Join a coordinator and work for it.")
    parser.add_argument("address", help="where the coordinator listens, for example tcp://10.0.0.1:5555")
    parser.add_argument("--patience", type=float, default=60.0, help="leave after this many seconds of silence")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the coordinator's key file, or a copy of it")
    parser.add_argument("--insecure", action="store_true", help="join another machine without keys")
    parser.add_argument("--tied", action="store_true", help="end when standard input, a pipe, is closed")
    parser.add_argument("--mail", help=argparse.SUPPRESS)  # a descriptor of the parent's mailbox
    arguments = parser.parse_args()
    if not 0 < arguments.patience < math.inf:
        parser.error(f"--patience must be a number of seconds above 0, got {arguments.patience:g}")
    os.environ.update(ONE_THREAD)  # before numpy is imported
    from workers.mail import Mail  # noqa: PLC0415
    from workers.worker import Worker  # noqa: PLC0415

    try:
        keys = _keys(arguments.address, arguments.key, arguments.insecure)
        mail = Mail.parse(arguments.mail) if arguments.mail else None
        ended = Worker(arguments.address, arguments.tied, arguments.patience, mail, keys).run()
    except GradsumError as error:
        print(f"gradsum worker: {error}", file=sys.stderr)
        return error.exit_code
    if ended.code:
        print(f"gradsum worker: {ended.reason}", file=sys.stderr)
    return ended.code


def _keys(address: str, key: Path | None, insecure: bool) -> Keys | None:
    """Return the keys to join with; UsageError if none are given where the connection leaves this machine."""
    if key:
        if insecure or not address.startswith("tcp://"):
            raise UsageError(f"--key is for a tcp:// address, and not with --insecure; leave it out for {address}")
        return Keys.read(key, for_server=False)
    if address.startswith("tcp://") and not insecure and not Address.parse(address).is_loopback():
        raise UsageError(
            f"{address} is on another machine: copy the key file that its coordinator names and give --key FILE, "
            "or --insecure where everybody on the way may read and change what is sent"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
