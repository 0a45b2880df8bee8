"""One line that says what a command is doing, in a terminal; nothing elsewhere."""

from typing import TextIO

from engine.cli.live.display import forgiving, is_live

CLEAR = "\r\x1b[K"  # to the beginning of the line, and erase it


class ProgressLine:
    """Shows the last text it was given on `stream` (None where it is closed) until it is left. A context manager."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = forgiving(stream) if stream is not None and is_live(stream) else None

    def say(self, text: str) -> None:
        """Show `text` in place of what was there."""
        if self._stream:
            self._stream.write(f"{CLEAR}{text} ...")
            self._stream.flush()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream:
            self._stream.write(CLEAR)
            self._stream.flush()
