"""Standard input, output and error, in whatever state the caller left them."""

import codecs
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator


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


def discard() -> None:
    """Send standard output nowhere: its reader has left, and Python would complain again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    with contextlib.suppress(OSError):
        print(text, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
