"""The options that `gradsum worker` passes on to the worker processes: declared and checked in one place for both."""

import argparse
from pathlib import Path

from engine.errors import UsageError
from engine.system.processes import PLACE_LIMIT
from engine.wire.keys import KEY_MODES, Keys, keys_to_join

TOPOLOGIES = ("exchange", "tree", "star")


def add_worker_options(parser: argparse.ArgumentParser, patience: float) -> None:
    """Declare the address and the options; `patience` is the default, in seconds."""
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        help="where the coordinator listens, for example tcp://10.0.0.1:5555; of several hosts, as in "
        "tcp://10.0.0.1,192.168.1.1:5555, the first that answers",
    )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="the coordinator's key file, or a copy of it; - is standard input"
    )
    add_key_mode(parser)
    parser.add_argument("--insecure", action="store_true", help="join another machine without keys")
    parser.add_argument("--tied", action="store_true", help="end when standard input, a pipe, ends")
    parser.add_argument(
        "--place", default="", metavar="TEXT", help="what to call this place in the records, such as the id of a job"
    )
    _add_topology(parser)
    parser.add_argument(
        "--once",
        action="store_true",
        help="leave when the run is over, or nothing comes from it for 30 seconds, with exit code 0",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=patience,
        metavar="SECONDS",
        help=f"leave when nothing comes from a coordinator for this long (default: {patience:g})",
    )


def add_key_mode(parser: argparse.ArgumentParser) -> None:
    """Declare the option that says who may read the key file."""
    parser.add_argument(
        "--key-mode",
        choices=KEY_MODES,
        default=KEY_MODES[0],
        metavar="|".join(KEY_MODES),
        help="any: others may be able to read the key file, as where Kubernetes mounts a secret (default: %(default)s)",
    )


def _add_topology(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--topology",
        choices=TOPOLOGIES,
        default=TOPOLOGIES[0],
        help="how this relay is connected where there are many. exchange: with each other one, and each adds up one "
        "part of the gradients of all; tree: it joins another, or others join it, as the coordinator says; star: with "
        "the coordinator alone, and it does not listen (default: %(default)s)",
    )


def keys_of(arguments: argparse.Namespace) -> Keys | None:
    """Return the keys with which to join; None if none are needed. UsageError for what cannot be meant."""
    place = arguments.place
    if len(place) > PLACE_LIMIT or not place.isprintable():
        raise UsageError(f"--place must be printable text of at most {PLACE_LIMIT} characters, got {place!r:.60}")
    if not arguments.patience > 0:  # nan is not
        raise UsageError(f"--patience must be a number of seconds above 0, got {arguments.patience:g}")
    return keys_to_join(arguments.address, arguments.key, arguments.insecure, arguments.key_mode == "any")


def words_of(arguments: argparse.Namespace) -> list[str]:
    """Return the words of a command line that give the same options."""
    words = [arguments.address, "--patience", repr(arguments.patience)]
    words += [f"--key={arguments.key}"] if arguments.key else []
    words += ["--key-mode", arguments.key_mode] if arguments.key_mode != KEY_MODES[0] else []
    words += [f"--place={arguments.place}"] if arguments.place else []
    words += ["--topology", arguments.topology] if arguments.topology != TOPOLOGIES[0] else []
    return [*words, *(f"--{name}" for name in ("insecure", "tied", "once") if getattr(arguments, name))]
