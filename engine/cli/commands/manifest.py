"""`gradsum manifest kubernetes`: print what a cluster manager is to run."""

import argparse
import re
import shlex
from collections.abc import Sequence

from engine.cli.command import Command

IMAGE = "gradsum:latest"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("manager", choices=("kubernetes",), metavar="kubernetes", help="for which cluster manager")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="worker processes in all (default: 4)")
    parser.add_argument("--cores", type=int, default=1, metavar="N", help="cores, and workers, of a pod (default: 1)")
    parser.add_argument("--image", default=IMAGE, metavar="IMAGE", help=f"image with gradsum in it (default: {IMAGE})")
    parser.add_argument("--name", default="gradsum", metavar="NAME", help="of all that is made (default: gradsum)")
    parser.add_argument(
        "--options",
        default="--data letters",
        metavar="TEXT",
        help='options of gradsum train, as in "--data mnist --epochs 5" (default: "--data letters"); workers get '
        "--import and --kernels of them",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the manifest, with keys of its own."""
    from engine.errors import UsageError
    from engine.launch.kubernetes import Pods, manifest
    from engine.settings.workers import MAX_WORKERS
    from engine.wire.keys import Keys

    for option in ("workers", "cores"):
        if not 1 <= (value := getattr(arguments, option)) <= MAX_WORKERS:
            raise UsageError(f"--{option} must be from 1 to {MAX_WORKERS}, got {value}")
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", arguments.name):
        raise UsageError(f"--name must be a name as Kubernetes has them, such as my-run, got {arguments.name!r:.60}")
    if not re.fullmatch(r"[\w./:@-]*\w", arguments.image):
        raise UsageError(f"--image must be the name of an image, got {arguments.image!r:.60}")
    if not arguments.options.isprintable():
        raise UsageError("--options must be one line of printable text")
    try:
        for_workers = shlex.join(_shared(shlex.split(arguments.options)))
    except ValueError as error:
        raise UsageError(f"--options {arguments.options!r:.60}: {error}") from None
    pods = Pods(arguments.workers, arguments.cores, arguments.image, arguments.name, arguments.options, for_workers)
    print(manifest(pods, Keys.make()), end="")
    return 0


def _shared(words: Sequence[str]) -> list[str]:
    """Return those of the options of `gradsum train` that its workers must have, too."""
    from engine.cli.import_option import add_import_option
    from engine.cli.kernel_options import add_kernel_options

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    add_import_option(parser)
    add_kernel_options(parser)
    try:
        given, _ = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise ValueError(error) from None
    found = ["--import", given.import_] if given.import_ else []
    found += ["--kernels", given.kernels] if given.kernels else []
    return [*found, *(["--allow-slow"] if given.allow_slow else [])]


COMMAND = Command(
    "manifest",
    add_options,
    run,
    examples=(
        "gradsum manifest kubernetes --workers 32 --cores 8 --image registry.example/gradsum:0.1",
        'gradsum manifest kubernetes --options "--data mnist --epochs 5 --import /code/mylayers.py"',
    ),
    description="An Indexed Job, one of whose pods is the coordinator, with a headless Service, a Secret with new keys "
    "and a claim of storage. docs/Dockerfile makes the image.",
)
