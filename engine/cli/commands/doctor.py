"""`gradsum doctor`: can this machine train, and does it reach a coordinator?"""

import argparse
from pathlib import Path

from engine.cli.command import Command


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    from engine.launch.worker_options import add_key_mode

    parser.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help="of a coordinator, as for gradsum worker: is it reached?",
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key file, or - for standard input")
    add_key_mode(parser)
    parser.add_argument("--insecure", action="store_true", help="it takes no keys")


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each thing that was looked at; return 1 if something is not good."""
    from engine.doctor import machine, network
    from engine.errors import UsageError
    from engine.wire.keys import KEY_MODES, keys_to_join

    if arguments.address is None and (arguments.key or arguments.insecure):
        raise UsageError("--key and --insecure are for the coordinator at an ADDRESS: give it, too")
    if arguments.key is None and arguments.key_mode != KEY_MODES[0]:
        raise UsageError("--key-mode is for a key file: also give --key FILE")
    any_mode, keys = arguments.key_mode == "any", None
    if arguments.address:
        keys = keys_to_join(arguments.address, arguments.key, arguments.insecure, any_mode)
    bad = 0
    looks = [machine.findings()] + ([network.findings(arguments.address, keys)] if arguments.address else [])
    for look in looks:
        for finding in look:
            print(finding.line(), flush=True)
            bad += not finding.good
    return 1 if bad else 0


COMMAND = Command(
    "doctor",
    add_options,
    run,
    examples=("gradsum doctor", "gradsum doctor tcp://10.0.0.1,192.168.1.1:5555 --key key"),
    description="Prints a line for each thing: it is good, or what to do. With an ADDRESS also for names, routes, "
    "ports and the key. The exit code is 1 if something is not good.",
)
