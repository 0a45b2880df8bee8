"""The command line: one file a command, in commands/."""

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from engine.cli import streams
from engine.cli.command import load
from engine.cli.commands import SUMMARIES
from engine.cli.exit_codes import BROKEN_PIPE, INTERRUPTED
from engine.cli.overview import overview
from engine.cli.parser import Parser
from engine.errors import GradsumError, SettingsError, UsageError, WorkerFailedError
from engine.system.blas import ONE_THREAD
from engine.system.collector import loading
from engine.system.forks import own_process
from engine.system.logs import configure_logging
from engine.system.signals import NEAR_LIMIT, heard, interrupts_kept

logger = logging.getLogger("gradsum.cli")
UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)  # another name would do


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `gradsum` with `arguments` (default: the process's own) and return the exit code.

    Raises SystemExit, as argparse does, for the help of a command and for bad usage.
    """
    os.environ.update(ONE_THREAD)  # before any command imports numpy
    streams.fill_descriptors()
    streams.accept_any_text()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # A program that calls this with arguments is not ours.
        with own_process(arguments is None), _terminable(), streams.forgiving_error(), streams.plain_warnings():
            configure_logging()
            return _run(given)
    except GradsumError as error:
        logger.debug("where the error came from", exc_info=True)
        if isinstance(error, WorkerFailedError) and error.remote_traceback:
            streams.complain(f"The worker's own traceback:\n{error.remote_traceback}")
        streams.complain(f"gradsum: {error}", error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        streams.complain("gradsum: interrupted", stop)
        return INTERRUPTED
    except BrokenPipeError:
        streams.discard()
        return BROKEN_PIPE
    except MemoryError as error:
        wanted = f" ({error})" if str(error) else ""
        streams.complain(f"gradsum: there is not enough memory{wanted}; a smaller model or micro-batch needs less")
        return GradsumError.exit_code
    except OSError as error:
        return _refused(error)


def _run(given: list[str]) -> int:
    """Find the command, and run it with its arguments."""
    try:
        _check_words(given)
        if given[:1] == ["help"]:
            given = [*given[1:], "--help"]
        name, *rest = given or ["--help"]
        if name in ("-h", "--help", "--version"):
            print(_version() if name == "--version" else overview())
            return 0
        if name not in SUMMARIES:
            Parser("gradsum").refuse_command(name, SUMMARIES)
        logger.debug("%s %s", name, rest)
        with loading():
            command = load(name)
        parsed = command.parser().parse_args(rest)
        _check_here()
        return command.run(parsed)
    finally:
        streams.flush()


def _version() -> str:
    from importlib.metadata import version  # takes longer than all the rest

    return f"gradsum {version('gradsum')}"


def _check_words(given: list[str]) -> None:
    """SystemExit with code 2 for an empty word: as a path it would mean the current folder, which no one meant."""
    for before, word in zip(("", *given), given, strict=False):
        option, equals, value = word.partition("=")
        if not word:
            after = f" after {before}" if before else ""
            Parser("gradsum").error(f"an empty argument{after}; is a variable not set?")
        if option.startswith("--") and equals and not value:
            Parser("gradsum").error(f"{option} is empty; is a variable not set?")


def _check_here() -> None:
    """Raise SettingsError if the current folder was deleted: only full paths mean anything there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise SettingsError("the current folder no longer exists; change to another one") from None


def _refused(error: OSError) -> int:
    """Report what the system refused, and return the exit code: bad usage if another name would do."""
    if error.errno in UNUSABLE and error.filename:
        streams.complain(f"gradsum: {error.filename!s:.200}: {error.strerror}; name another file or folder")
        return UsageError.exit_code
    streams.complain(f"gradsum: {error}")
    return GradsumError.exit_code


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM, and what cluster managers send before a time limit, do what Ctrl-C does, once.

    What fails after that is the interruption, too: where it comes in the middle of an import, some modules and Python
    itself make another error of it.
    """
    leaving, came = False, int(signal.SIGINT)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal leaving, came
        if not leaving or number == signal.SIGINT:
            leaving, came = True, number  # SIGXCPU comes every second: it must not disturb the tidying up
            raise KeyboardInterrupt

    def again() -> int:
        nonlocal leaving
        leaving = False
        return came

    before = {
        number: signal.signal(number, interrupt) for number in heard((signal.SIGINT, signal.SIGTERM, *NEAR_LIMIT))
    }
    try:
        with interrupts_kept(again):
            yield
    except GradsumError:
        raise
    except Exception as error:
        if leaving:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
