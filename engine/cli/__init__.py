"""The command line: one file a command. Exit codes: 0 done, 1 failed run, 2 bad usage, 130 interrupted."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from engine.errors import GradsumError, UsageError, WorkerFailedError
from engine.threads import ONE_THREAD

INTERRUPTED = 130
BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell would say

COMMANDS = {
    "train": "train a network",
    "worker": "join a coordinator and work for it",
    "evaluate": "measure a trained network on a test set",
    "predict": "say what is on images",
    "runs": "list the runs of a database",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `gradsum` with `arguments` (default: the process's own) and return the exit code."""
    os.environ.update(ONE_THREAD)  # before any command imports numpy
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parsed = _parser(given).parse_args(given)
        return int(parsed.execute(parsed))
    except UsageError as error:
        print(f"gradsum: {error}", file=sys.stderr)
        return UsageError.exit_code
    except GradsumError as error:
        if isinstance(error, WorkerFailedError) and error.remote_traceback:
            print(f"The worker's own traceback:\n{error.remote_traceback}", file=sys.stderr)
        print(f"gradsum: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("gradsum: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _parser(given: list[str]) -> argparse.ArgumentParser:
    """Return a parser that knows all commands by name, and the one that is wanted in full."""
    parser = argparse.ArgumentParser(
        prog="gradsum", description="Train neural networks on CPUs: the same bits with any number of workers."
    )
    parser.add_argument("--version", action="version", version=f"gradsum {version('gradsum')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, text in COMMANDS.items():
        if name == wanted:
            import_module(f"engine.cli.{name}").register(commands)
        else:
            commands.add_parser(name, help=text)
    return parser
