"""Standard input, output and error, in whatever state the caller left them."""

import codecs
import contextlib
import io
import os
import stat
import sys
import warnings
from collections.abc import Iterator

from engine.system.terminal import forgiving


def fill_descriptors() -> None:
    """Open standard input, output and error where they are closed, or a database or socket might take their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def accept_any_text() -> None:
    """Let standard output print any text, such as file names that are not text in the stream's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("gradsum", _printable)
        sys.stdout.reconfigure(errors="gradsum")


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Print the bytes of a file name as they are, and characters that the encoding lacks as an escape."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def flush() -> None:
    """Flush standard output now, while an error can still be handled; at exit Python could only complain."""
    if sys.stdout:  # None where it is closed
        sys.stdout.flush()


@contextlib.contextmanager
def saved(interrupted: bool) -> Iterator[None]:
    """Print what there is to say of a run that is over; one that was `interrupted` ends, whatever its terminal does.

    It may be closed, or stopped by Ctrl-S.
    """
    with contextlib.ExitStack() as stack:
        if interrupted and isinstance(sys.stdout, io.TextIOWrapper) and _is_device(sys.stdout):
            stack.enter_context(contextlib.redirect_stdout(forgiving(sys.stdout)))
        yield


def _is_device(stream: io.TextIOWrapper) -> bool:
    """Return whether `stream` is a terminal, even one that has been closed: then `isatty` is False."""
    try:
        return stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except OSError:  # it is in memory
        return False


def discard() -> None:
    """Send standard output nowhere: its reader has left, and Python would complain again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def forgiving_error() -> Iterator[None]:
    """Let all that is written to standard error, warnings and the log as well, wait for no reader."""
    if not sys.stderr:  # it is closed
        yield
        return
    with contextlib.redirect_stderr(forgiving(sys.stderr)) as stream:
        try:
            yield
        finally:
            stream.flush()


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings without the line of source they come from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"gradsum: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def complain(text: str, error: BaseException | None = None) -> None:
    """Print `text` and the notes of `error` to standard error, if anyone still reads it."""
    lines = [text, *getattr(error, "__notes__", ())]
    if stream := sys.stderr or sys.stdout:
        forgiving(stream).write("\n".join(lines) + "\n")
