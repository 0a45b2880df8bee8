"""One line in a terminal, and nothing elsewhere."""

import io

import pytest

from engine.system.terminal import CLEAR, ProgressLine, forgiving, is_live


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
