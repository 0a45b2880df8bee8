"""What is written to a terminal, or to a file or program in its place."""

import contextlib
import os
from typing import Any, TextIO, cast

from engine.system.logs import VARIABLE

CLEAR = "\r\x1b[K"  # to the beginning of the line, and erase it


def is_live(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal in which something can be redrawn, and no log goes there too."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get(VARIABLE)


def forgiving(stream: TextIO) -> TextIO:
    """Return `stream`, but writing to it never fails: a run continues when its reader has left."""
    return cast(TextIO, _Forgiving(stream))


class _Forgiving:
    """A stream whose reader may leave."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
