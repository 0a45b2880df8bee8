"""What is shown while a network trains: right numbers, in a panel that leaves no trace, or in plain lines."""

import contextlib
import io
import os
import pty
import re
from pathlib import Path
from typing import Any

import pytest

from engine.cli.live import lines
from engine.cli.live.display import RECENT, Display, describe
from engine.cli.live.lines import Lines, Quiet
from engine.cli.live.panel import Panel
from engine.cli.live.reporters import reporter_for
from engine.compute.validation import Validation
from engine.coordinator.source import WorkerReport
from engine.data import Measure, Usage
from engine.training.reporter import Reporter, RunInfo, StepReport
from tests.support.command import SMALL, finish, save_data, start

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return ESCAPE.sub("", self.getvalue())


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


def info(**changes: Any) -> RunInfo:
    given: dict[str, Any] = {
        "run": 3, "model": "letters", "data": "letters", "generated": True, "train_samples": 1000,
        "parts": Usage(1000, 100, None), "parameters": 137178, "workers": 2, "step": 0, "last_step": 200,
        "time_limit": None,
        "steps_per_epoch": 20, "db": Path("r.db"), "folder": Path("out"),
    }  # fmt: skip
    return RunInfo(**given | changes)


def step(number: int, loss: float = 1.5, percent: float = 40.0, images: int = 50) -> StepReport:
    return StepReport(number, number / 20, loss, percent, images, images_per_second=500.0, elapsed=1.0)


def workers(count: int) -> list[WorkerReport]:
    return [WorkerReport(f"w{i}", "here", 100 + i, 1000 * (i + 1), 2.0, 2.0) for i in range(count)]


def test_which_reporter_suits_which_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(reporter_for(Terminal(), quiet=False)) is Panel
    assert type(reporter_for(io.StringIO(), quiet=False)) is Lines
    assert type(reporter_for(Terminal(), quiet=True)) is Quiet
    assert type(reporter_for(None, quiet=False)) is Reporter
    monkeypatch.setenv("GRADSUM_LOG", "info")
    assert type(reporter_for(Terminal(), quiet=False)) is Lines, "a log would be written over the panel"
    monkeypatch.delenv("GRADSUM_LOG")
    monkeypatch.setenv("TERM", "dumb")
    assert type(reporter_for(Terminal(), quiet=False)) is Lines


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "run 3: letters (137,178 parameters) on 1,000 generated letters, 2 workers"),
        ({"workers": 1, "generated": False, "data": "mnist"}, "on 1,000 mnist, 1 worker"),
        ({"workers": 0, "step": 40}, "on 1,000 generated letters, this process, from step 40"),
    ],
)
def test_a_run_in_one_line(changes: dict[str, Any], text: str) -> None:
    line, parts = describe(info(**changes)).splitlines()
    assert line.endswith(text)
    assert line.startswith("run 3: letters")
    assert describe(info(**changes, run=0)).startswith("letters (137,178 parameters)"), "as of a run that is verified"
    assert parts == "  trains with 1,000 images, chooses by the other part, 100; none is left to test with"


def test_the_part_that_is_done_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    watch = Display()
    assert watch.progress() is None
    watch.started(info())
    assert watch.progress() is None
    watch.step(step(50), [])
    assert watch.progress() == (0.25, 15.0)  # 150 steps of 50 images at 500 a second
    watch.step(step(60, images=10), [])
    assert watch.progress() == (0.3, 14.0), "a smaller last batch says nothing about those to come"
    watch.started(info(time_limit=20.0))
    now = 105.0
    assert watch.progress() == (0.3, 14.0)
    now = 115.0
    assert watch.progress() == (0.75, 5.0), "what comes first ends the run"
    now = 130.0
    assert watch.progress() == (1.0, 0.0)
    watch.started(info(last_step=None))
    assert watch.progress() is None


def test_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    lines = reporter_for(stream, quiet=False)
    lines.status("preparing data and model")
    lines.started(info())
    lines.status("validating")  # not worth a line once the run has begun
    for number in range(1, 13):
        now = float(number)
        lines.step(step(number, loss=number, percent=10 * number), workers(2))
    lines.validated(Validation(12, 90, 100, 0.3))
    lines.notice("worker w1 left: gone")
    lines.interrupted()
    lines.ended()
    assert stream.getvalue().splitlines() == [
        "preparing data and model ...",
        "run 3: letters (137,178 parameters) on 1,000 generated letters, 2 workers",
        "  trains with 1,000 images, chooses by the other part, 100; none is left to test with",
        "epoch 0.25  step 5  loss 3.0000  30.0 % correct  500 images/s  20 s left",
        "epoch 0.50  step 10  loss 5.5000  55.0 % correct  500 images/s  19 s left",
        "validation after step 12: 90.00 % correct",
        "worker w1 left: gone",
    ]


def test_loss_and_percentage_are_means_over_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_EVERY", 0.0)
    stream = io.StringIO()
    shown = Lines(stream)
    shown.started(info())
    shown.step(step(1, loss=1.0, percent=0.0, images=30), [])
    shown.step(step(2, loss=5.0, percent=100.0, images=10), [])
    assert "loss 2.0000  25.0 % correct" in stream.getvalue().splitlines()[-1]
    for number in range(RECENT):
        shown.step(step(3 + number, loss=7.0, percent=50.0), [])
    assert "loss 7.0000  50.0 % correct" in stream.getvalue().splitlines()[-1]


@pytest.mark.parametrize("tty", [True, False])
def test_a_stream_whose_reader_has_left_does_not_stop_a_run(tty: bool) -> None:
    stream = Broken()
    stream.isatty = lambda: tty  # type: ignore[method-assign]
    reporter = reporter_for(stream, quiet=False)
    play(reporter)
    reporter.ended()


def play(reporter: Reporter) -> None:
    reporter.status("preparing data and model")
    reporter.started(info())
    reporter.step(step(50), workers(2))
    reporter.validated(Validation(50, 87, 100, 0.3))


def test_the_panel_has_the_numbers() -> None:
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    play(panel)
    text = stream.text()
    panel.ended()
    assert "preparing data and model ..." in text
    assert "run 3: letters (137,178 parameters) on 1,000 generated letters, 2 workers" in text
    assert "after step 50: 87.00 % of the validation part correct" in text
    last = text[text.rindex("╭") :]
    for row in (
        r"25 % +0:00:15 left", r"epoch +2\.50 ", r"step +50 of 200 ", r"loss +1\.5000 ", r"correct +40\.0 % ",
        r"images/s +500 ", r"each worker +500 1,000 ", r"validation +87\.00 % after step 50 ",
    ):  # fmt: skip
        assert re.search(row, last), row


def test_the_panel_says_how_far_a_conversion_is() -> None:
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    panel.status("loading")
    panel.converting("converting pictures", 1500, 6000)
    panel.ended()
    assert "converting pictures ..." in stream.getvalue()
    assert "1,500 of 6,000" in stream.getvalue()


def test_the_panel_says_what_is_going_on() -> None:
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    panel.status("loading")
    assert stream.text().endswith("loading ...")
    panel.started(info())
    assert "waiting for the first step" in stream.text()
    panel.step(step(1), [])
    panel.status("validating")
    panel.notice("[bold]worker[/bold] w1 left")
    text = stream.text()
    assert "[bold]worker[/bold] w1 left" in text, "what others write is no markup"
    assert " validating " in text[text.rindex("╭") :]
    panel.interrupted()
    panel.notice("one more")
    text = stream.text()
    assert "Ctrl-C again: quit at once" in text[text.rindex("╭") :]
    panel.ended()


@pytest.mark.parametrize("said", ["waits for 1 worker ([fe80::1] refuses)", "[/dev] is full"])
def test_what_a_launcher_says_is_no_markup(said: str) -> None:
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    panel.started(info())
    panel.step(step(1), [])
    panel.placed(said)
    panel.ended()
    assert said in stream.text()


def test_the_panel_is_gone_in_the_end_and_the_cursor_back() -> None:
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    play(panel)
    panel.ended()
    panel.ended()
    out = stream.getvalue()
    assert out.count(HIDE) == out.count(SHOW) == 1
    height = out[out.rindex("╭") : out.rindex("╯")].count("\n") + 1
    assert out.endswith("\r\x1b[2K" + "\x1b[1A\x1b[2K" * (height - 1) + f"{SHOW}\r"), "every line of it is erased"


def test_the_end_prints_nothing_that_a_low_terminal_could_not_erase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "5")
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    play(panel)
    before = stream.getvalue()
    panel.ended()
    assert "epoch" not in stream.getvalue()[len(before) :]


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_the_panel_fits_and_leaves_room_for_the_echo_of_ctrl_c(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    play(panel)
    panel.step(step(60), workers(20))
    panel.status("validating")
    panel.notice("now")
    text = stream.text()
    panel.ended()
    last = text[text.rindex("╭") : text.rindex("╯") + 1]
    assert max(map(len, last.splitlines())) <= min(columns, 80) - 4
    assert "12 more" in " ".join(last.replace("│", "").split())


def test_the_panel_says_of_values_how_good_they_are() -> None:
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    panel.started(info(measure=Measure.R2))
    panel.validated(Validation(7, 0, 10, 0.5, r2=0.99904))
    panel.ended()
    assert "after step 7: R² 0.9990 on the validation part" in stream.text()


def test_without_colours_and_without_an_end() -> None:
    os.environ["NO_COLOR"] = "1"  # the fixture removes it again
    stream = Terminal()
    panel = reporter_for(stream, quiet=False)
    panel.started(info(last_step=None, workers=0))
    panel.step(step(7), [])
    panel.validated(Validation(7, 9, 10, 0.5))
    out = stream.getvalue()
    panel.ended()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", out)
    last = stream.text()[stream.text().rindex("╭") :]
    assert re.search(r"step +7 ", last)
    assert " of " not in last
    assert "left" not in last


def test_in_a_real_terminal_the_panel_comes_and_goes(tidy: Path) -> None:
    save_data()
    main, side = pty.openpty()
    process = start(*SMALL, "--steps", 8, "--db", "r.db", stderr=side)
    os.close(side)
    said = b""
    with (
        contextlib.suppress(OSError),
        os.fdopen(main, "rb", buffering=0) as terminal,
    ):  # EIO is a terminal's end of file
        while chunk := terminal.read(4096):
            said += chunk
    answer = finish(process)
    assert answer.code == 0
    assert "after 8 steps" in answer.out
    assert "\x1b" not in answer.out
    assert b"run 1: mlp" in said
    assert said.count(HIDE.encode()) == said.count(SHOW.encode()) == 1
    assert b"Traceback" not in said
