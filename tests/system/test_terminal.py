"""One line in a terminal, and nothing elsewhere."""

import fcntl
import io
import os
import pty
import select
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.system.terminal import CLEAR, ProgressLine, forgiving, is_live
from tests.support.command import PATIENCE

LONG = 3 * select.PIPE_BUF  # is written in pieces


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("GRADSUM_LOG", raising=False)


def test_a_terminal_that_is_dumb_or_has_a_log_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_live(Terminal())
    assert not is_live(io.StringIO())
    monkeypatch.setenv("GRADSUM_LOG", "info")
    assert not is_live(Terminal())
    monkeypatch.delenv("GRADSUM_LOG")
    monkeypatch.setenv("TERM", "dumb")
    assert not is_live(Terminal())


def test_the_last_text_is_shown_until_it_is_cleared() -> None:
    stream = Terminal()
    with ProgressLine(stream) as line:
        line.say("one")
        line.say("two")
        assert stream.getvalue() == f"{CLEAR}one ...{CLEAR}two ..."
        line.clear()
        assert stream.getvalue().endswith(f"two ...{CLEAR}")
    assert stream.getvalue().endswith(CLEAR)


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_there_is_nothing_elsewhere(stream: io.StringIO | None) -> None:
    with ProgressLine(stream) as line:
        line.say("one")
    assert stream is None or stream.getvalue() == ""


def test_a_reader_who_has_left_is_no_error() -> None:
    with ProgressLine(Gone()) as line:
        line.say("one")
    forgiving(Gone()).write("two")


class Piped(io.TextIOWrapper):
    live = False

    def isatty(self) -> bool:
        return self.live


@pytest.fixture
def unread() -> Iterator[tuple[int, Piped]]:
    """Yield what could be read, and a stream to write to, which has little room."""
    theirs, ours = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(theirs, "rb", buffering=0) as reader, Piped(os.fdopen(ours, "wb"), encoding="ascii") as stream:
        yield reader.fileno(), stream


def everything(descriptor: int) -> str:
    """Read all there is now."""
    read, poll = b"", select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(0):
        read += os.read(descriptor, 1 << 16)
    return read.decode()


def seen_in_the_end(unread: tuple[int, Piped]) -> list[str]:
    """Print 200 numbers, of which most find no reader, then four more, and return the lines that are read."""
    descriptor, stream = unread
    patient, text = forgiving(stream, patience=0), "x" * 1000
    for number in range(200):
        print(number, text, file=patient, flush=True)
    seen = everything(descriptor)
    for number in range(200, 204):
        print(number, text, file=patient, flush=True)
        seen += everything(descriptor)
    return [line.removesuffix(text).strip() for line in seen.splitlines()]


def test_who_reads_nothing_holds_nothing_up_and_hears_later_what_was_left_out(unread: tuple[int, Piped]) -> None:
    lines = seen_in_the_end(unread)
    shown = lines.index("200") - 1
    assert 0 < shown < 200
    assert lines[:shown] == [str(number) for number in range(shown)]
    assert lines[shown] == f"{200 - shown} messages were not shown here, since nobody read them"
    assert lines[shown + 1 : shown + 3] == ["200", "201"]


def test_a_terminal_that_is_drawn_again_is_not_told_what_was_left_out(unread: tuple[int, Piped]) -> None:
    unread[1].live = True
    lines = seen_in_the_end(unread)
    assert lines == [*map(str, range(lines.index("200"))), *lines[lines.index("200") :]]


def test_threads_write_whole_messages(unread: tuple[int, Piped]) -> None:
    descriptor, stream = unread
    patient, seen = forgiving(stream, patience=PATIENCE), b""

    def write(letter: str) -> None:
        for _ in range(20):
            patient.write(f"{letter * LONG}\n")

    with ThreadPoolExecutor(4) as pool:
        for letter in "abcd":
            pool.submit(write, letter)
        while seen.count(b"\n") < 80:
            seen += os.read(descriptor, 1 << 16)
    assert sorted(seen.decode().split()) == [letter * LONG for letter in "abcd" for _ in range(20)]


def test_a_terminal_after_ctrl_s_holds_nothing_up() -> None:
    theirs, ours = pty.openpty()
    termios.tcflow(ours, termios.TCOOFF)
    with os.fdopen(theirs, "rb", buffering=0), os.fdopen(ours, "w") as stream:
        patient = forgiving(stream, patience=0)
        print("one", file=patient, flush=True)
        print("two", file=patient, flush=True)
        assert not everything(theirs)
        termios.tcflow(ours, termios.TCOON)
        print("three", file=patient, flush=True)
        assert everything(theirs).split()[-1] == "three"


def test_the_beginning_of_a_line_is_written_with_the_lines_before_it(unread: tuple[int, Piped]) -> None:
    """And at the end of the program: see `forgiving_error`."""
    forgiving(unread[1]).write("first\nPassword: ")
    assert everything(unread[0]) == "first\nPassword: "


def test_writing_never_fails_and_keeps_nothing() -> None:
    closed = forgiving(io.TextIOWrapper(io.BytesIO()))
    closed.close()
    theirs, ours = os.pipe()
    os.close(theirs)
    with Piped(os.fdopen(ours, "wb"), encoding="ascii") as stream:
        narrow = forgiving(stream)
        for one in (closed, narrow):
            print("\N{SNOWMAN}", file=one, flush=True)
            print("x" * 100, file=one, flush=True)
            assert one._message == ""  # type: ignore[attr-defined]
