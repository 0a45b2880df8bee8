"""What is written to a terminal, or to a file or program in its place."""

import contextlib
import io
import os
import select
import stat
from collections.abc import Iterator
from threading import RLock
from typing import Any, TextIO, cast

from engine.system.descriptors import writable
from engine.system.logs import VARIABLE

CLEAR = "\r\x1b[K"  # to the beginning of the line, and erase it
PATIENCE = 1.0  # seconds that a reader has to read on


def is_live(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal in which something can be redrawn, and no log goes there too."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get(VARIABLE)


def forgiving(stream: TextIO, patience: float = PATIENCE) -> TextIO:
    """Return `stream`, but writing to it never fails, and waits at most `patience` seconds for its reader.

    So a run continues when its reader has left, or has stopped reading as a terminal does after Ctrl-S.
    """
    return stream if isinstance(stream, _Forgiving) else cast(TextIO, _Forgiving(stream, patience))


class _Forgiving:
    """A stream whose reader may leave, or stop reading: then one message waits for it, and later ones are left out."""

    def __init__(self, stream: TextIO, patience: float) -> None:
        self._stream = stream
        self._patience = patience
        self._message = ""  # up to the next line or flush
        self._waiting = b""  # the message that could not be written, or what is left of it
        self._left_out = 0  # messages since then
        self._lock = RLock()  # threads write, and signal handlers in the middle of that

    def write(self, text: str) -> int:
        with self._lock:
            self._message += text
            if "\n" in text:
                self.flush()
        return len(text)

    def flush(self) -> None:
        # ValueError: the stream is closed, or has no such characters.
        with self._lock, contextlib.suppress(OSError, ValueError):
            message, self._message = self._message, ""
            with _descriptor(self._stream) as descriptor:
                if descriptor is None:
                    self._stream.write(message)
                    self._stream.flush()
                elif message:
                    self._write(descriptor, message)

    def _write(self, descriptor: int, message: str) -> None:
        self._waiting = _written(descriptor, self._waiting, 0)
        if self._waiting:
            self._left_out += 1
            return
        content = (self._what_is_missing() + message).encode(self._stream.encoding, self._stream.errors or "strict")
        self._waiting = _written(descriptor, content, self._patience)

    def _what_is_missing(self) -> str:
        """Return a line about what was left out; none where it was only drawn, and is drawn again."""
        count, self._left_out = self._left_out, 0
        if not count or is_live(self._stream):
            return ""
        return f"{count} message{'s were' if count > 1 else ' was'} not shown here, since nobody read them\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _descriptor(stream: TextIO) -> Iterator[int | None]:
    """Yield a descriptor by which `stream` can be written without waiting; None if writing to it never waits."""
    try:
        number = stream.fileno() if isinstance(stream, io.TextIOWrapper) else None
    except OSError:  # it is in memory
        number = None
    if number is None or stat.S_ISREG(os.fstat(number).st_mode):
        yield None
        return
    try:
        # Not to wait is a property of what was opened, which other processes share: so it is opened once more.
        own = os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # no /proc, or a socket
        yield number
        return
    try:
        yield own
    finally:
        os.close(own)


def _written(descriptor: int, content: bytes, patience: float) -> bytes:
    """Write `content`, and return what could not be written, as nobody read on for `patience` seconds."""
    while content and writable(descriptor, patience):
        try:
            content = content[os.write(descriptor, content[: select.PIPE_BUF]) :]  # more could have to wait
        except BlockingIOError:
            break
    return content


class ProgressLine:
    """One line that says what is being done, in a terminal; nothing elsewhere.

    It shows the last text it was given on `stream` (None where there is to be none) until it is cleared or left. A
    context manager.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = forgiving(stream) if stream is not None and is_live(stream) else None

    def say(self, text: str) -> None:
        """Show `text` in place of what was there."""
        if self._stream:
            self._stream.write(f"{CLEAR}{text} ...")
            self._stream.flush()

    def clear(self) -> None:
        """Show nothing."""
        if self._stream:
            self._stream.write(CLEAR)
            self._stream.flush()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
