"""`gradsum worker`: becomes a worker process."""

import argparse
import os


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`. Its options are those of `python -m workers`, which takes over."""
    # No word begins with NUL, so whatever is given, --help too, counts as an argument and is passed on.
    parser = commands.add_parser(
        "worker", help="join a coordinator and work for it", add_help=False, prefix_chars="\0", allow_abbrev=False
    )
    parser.add_argument("options", nargs="*")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Replace this process by the worker."""
    from engine.launch.command import worker_command, worker_environment

    command = worker_command(*arguments.options)
    os.execve(command[0], command, worker_environment())  # noqa: S606 - it never returns
