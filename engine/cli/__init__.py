"""The command line: one file a command.

Exit codes: 0 done, 1 failed run, 2 bad usage, 130 interrupted, 141 nobody reads the output any more.
"""

import argparse
import codecs
import contextlib
import errno
import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType

from engine.cli.parser import Parser
from engine.errors import GradsumError, SettingsError, UsageError, WorkerFailedError
from engine.system.blas import ONE_THREAD
from engine.system.signals import NEAR_LIMIT, heard

INTERRUPTED = 130
NAMED_WRONGLY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)  # a place that will not do
BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell would say

COMMANDS = {
    "train": "train a network",
    "sweep": "train with many settings, and find the best",
    "coordinator": "train a network with workers on other machines",
    "worker": "join a coordinator and work for it",
    "evaluate": "measure a trained network on a test set",
    "predict": "say what is on images",
    "inspect": "show what a model is compiled to",
    "bench": "measure the speed-up of more workers",
    "runs": "list the runs of a database",
    "show": "show all there is on record of a run",
    "compare": "show several runs side by side",
    "report": "write a page about a run",
    "rm": "delete runs with their checkpoints",
    "plot": "draw what was recorded",
    "demo": "show a lesson as pictures",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `gradsum` with `arguments` (default: the process's own) and return the exit code.

    Raises SystemExit, as argparse does, for --help, --version and arguments that make no sense.
    """
    os.environ.update(ONE_THREAD)  # before any command imports numpy
    _fill_descriptors()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("gradsum", _printable)
        sys.stdout.reconfigure(errors="gradsum")
    try:
        with _terminable(), _plain_warnings():
            return _run(given)
    except GradsumError as error:
        if isinstance(error, WorkerFailedError) and error.remote_traceback:
            _complain(f"The worker's own traceback:\n{error.remote_traceback}")
        _complain(f"gradsum: {error}", error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        _complain("gradsum: interrupted", stop)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError as error:
        wanted = f" ({error})" if str(error) else ""
        _complain(f"gradsum: there is not enough memory{wanted}; a smaller model or micro-batch needs less")
        return GradsumError.exit_code
    except OSError as error:
        return _no_place(error)


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Print the bytes of a file's name as they are, and what the stream's encoding does not have as an escape."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _run(given: list[str]) -> int:
    """Understand `given` and carry it out."""
    try:
        parser = _parser(given)
        _check_words(parser, given)
        parsed = parser.parse_args(given)
        _check_here()
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
            import_module(f"engine.cli.commands.{name}").register(commands)
        else:
            commands.add_parser(name, help=text)
    return parser


def _no_place(error: OSError) -> int:
    """Say what the system refused, and return the exit code: it is bad usage if another name would do."""
    if error.errno in NAMED_WRONGLY and error.filename:
        _complain(f"gradsum: {error.filename!s:.200}: {error.strerror}; name another file or folder")
        return UsageError.exit_code
    _complain(f"gradsum: {error}")
    return GradsumError.exit_code


def _check_words(parser: Parser, given: list[str]) -> None:
    """SystemExit with code 2 for an empty word: as a path it would mean the current folder, which nobody meant."""
    for before, word in zip(("", *given), given, strict=False):
        option, equals, value = word.partition("=")
        if not word:
            parser.error("an empty argument" + (f" after {before}" if before else "") + "; is a variable not set?")
        if option.startswith("--") and equals and not value:
            parser.error(f"{option} is empty; is a variable not set?")


def _check_here() -> None:
    """Raise SettingsError if the current folder was deleted: no name that is not a full path means anything there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise SettingsError("the current folder is not there any more; go to another one") from None


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
    """Let SIGTERM, and what cluster managers send before a time limit, do what Ctrl-C does, once."""
    leaving = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal leaving
        if not leaving:
            leaving = True  # SIGXCPU comes every second: it must not disturb the tidying up
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in heard((signal.SIGTERM, *NEAR_LIMIT))}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings as a person wants to see them: without the line of source they come from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"gradsum: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def _complain(text: str, error: BaseException | None = None) -> None:
    """Print to standard error, with the notes of `error`, or not if nobody is there any more."""
    with contextlib.suppress(OSError):
        print(text, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
