"""The command line: one file a command. Exit codes: 0 done, 1 failed run, 2 bad usage, 130 interrupted."""

import argparse
import contextlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType

from engine.cli.parser import Parser
from engine.errors import GradsumError, WorkerFailedError
from engine.threads import ONE_THREAD

INTERRUPTED = 130
BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell would say

COMMANDS = {
    "train": "train a network",
    "coordinator": "train a network with workers on other machines",
    "worker": "join a coordinator and work for it",
    "evaluate": "measure a trained network on a test set",
    "predict": "say what is on images",
    "inspect": "show what a model is compiled to",
    "bench": "measure the speed-up of more workers",
    "runs": "list the runs of a database",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `gradsum` with `arguments` (default: the process's own) and return the exit code.

    Raises SystemExit, as argparse does, for --help, --version and arguments that make no sense.
    """
    os.environ.update(ONE_THREAD)  # before any command imports numpy
    _fill_descriptors()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files may be any bytes
    try:
        with _terminable(), _plain_warnings():
            return _run(given)
    except GradsumError as error:
        if isinstance(error, WorkerFailedError) and error.remote_traceback:
            _complain(f"The worker's own traceback:\n{error.remote_traceback}")
        _complain(f"gradsum: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _complain("gradsum: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError as error:
        _complain(f"gradsum: there is not enough memory ({error}); a smaller model or micro-batch needs less")
        return GradsumError.exit_code
    except OSError as error:
        _complain(f"gradsum: {error}")
        return GradsumError.exit_code


def _run(given: list[str]) -> int:
    """Understand `given` and carry it out."""
    try:
        parsed = _parser(given).parse_args(given)
        return int(parsed.execute(parsed))
    finally:
        if sys.stdout:  # None where it is closed
            sys.stdout.flush()  # here, where it can be dealt with if its reader has left


def _parser(given: list[str]) -> Parser:
    """Return a parser that knows all commands by name, and the one that is wanted in full."""
    parser = Parser(
        prog="gradsum", description="Train neural networks on CPUs: the same bits with any number of workers."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, text in COMMANDS.items():
        if name == wanted:
            import_module(f"engine.cli.{name}").register(commands)
        else:
            commands.add_parser(name, help=text)
    return parser


class _Version(argparse.Action):
    """--version, which looks the version up only when it is asked for: that takes longer than all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"gradsum {version('gradsum')}")
        parser.exit()


def _fill_descriptors() -> None:
    """Open what is closed of standard input, output and error, or else a database or socket might take the place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that it cleans up as well."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # only the main thread can handle signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings as a person wants to see them: without the line of source they come from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"gradsum: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def _complain(text: str) -> None:
    """Print to standard error, or not if nobody is there any more."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)
