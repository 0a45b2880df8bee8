"""`gradsum sweep` from the command line: what it prints where, what it says of mistakes, the live table."""

import contextlib
import io
import json
import os
import pty
import re
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoint import load, params_sha256
from engine.cli.live.board import BEST, in_sight
from engine.cli.live.reporters import sweep_reporter_for
from engine.cli.live.trials import QuietSweep, SweepLines
from engine.compute.validation import Validation
from engine.coordinator.source import WorkerReport
from engine.records import Point, TrialStatus
from engine.sweeps.report import SweepReporter
from engine.sweeps.trial import Trial
from engine.training.reporter import StepReport
from tests.cli.live.test_progress import HIDE, SHOW, Terminal, info, step, workers
from tests.support.command import SMALL, Gradsum, finish, save_data, start, wait_for, wait_for_end
from tests.support.leaks import processes
from tests.support.remote import printed, worker

SWEEP = ("sweep", *SMALL[1:], "--epochs", 3, "--db", "r.db", "--out", "out")
NEVER = ("--checkpoint-every", 1 << 30)  # lest it be killed in the middle of writing
OVER = ("--over", "lr=1e-4:1e-1:log", "--over", "optimizer=sgd,adam", "--trials", 4, "--prune-after", 2)


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    return save_data()


def test_what_is_printed_where(gradsum: Gradsum) -> None:
    answer = gradsum(*SWEEP, *OVER)
    assert answer.code == 0
    said = answer.err.splitlines()
    assert said[:3] == ["loading ...", "preparing data and model ...", "sweep 1: 4 trials"]
    assert [line for line in said if line.startswith("trial ") and " of 4: lr 0." in line and "optimizer" in line][3]
    assert [line.split(":")[0] for line in said if re.match(r"trial \d \w+:", line)] == [
        "trial 1 finished", "trial 2 finished", "trial 3 pruned", "trial 4 pruned"
    ]  # fmt: skip
    *table, best, network, settings, records = answer.out.splitlines()
    assert table[0].split() == ["trial", "lr", "optimizer", "%", "correct", "step", "run", "state"]
    assert len(table) == 5
    percents = [float(line.split()[3]) for line in table[1:]]
    assert percents[:2] == sorted(percents[:2], reverse=True)
    assert [line.split()[-1] for line in table[1:]] == ["finished", "finished", "pruned", "pruned"]
    assert best.startswith(f"best        trial {table[1].split()[0]} finished: {table[1].split()[3]} % correct after")
    step = int(table[1].split()[4])
    assert network == f"network     out/trial-{table[1].split()[0]}/step-{step:08d}.safetensors"
    assert settings == "settings    out/best.toml (gradsum train --config out/best.toml)"
    assert re.fullmatch(r"records     r\.db \(sweep 1, \d+(\.\d+)? (kB|MB)\)", records)


def test_the_printed_file_trains_the_best_trial_again(gradsum: Gradsum) -> None:
    result = gradsum(*SWEEP, *OVER, "--json").json()
    again = gradsum("train", "--config", result["config"], "--workers", 2, "--db", "again.db", "--json").json()
    assert again["params_sha256"] == params_sha256(load(result["checkpoint"]).parameters)
    assert (again["validation"]["percent"], again["steps"]) == (result["best"]["value"], result["best"]["step"])
    assert result.keys() == {"sweep", "name", "state", "best", "checkpoint", "config", "db", "records_bytes", "trials"}
    assert [trial["number"] for trial in result["trials"]] == [1, 2, 3, 4]
    assert result["best"] in result["trials"]
    keys = {"number", "run", "parameters", "state", "value", "step", "reason", "params_sha256"}
    assert result["best"].keys() == keys


def test_quiet_is_nothing_but_the_result(gradsum: Gradsum) -> None:
    answer = gradsum(*SWEEP, *OVER, "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert len(answer.out.splitlines()) == 9


def test_many_trials_are_not_all_printed_and_the_grid_ends_by_itself(gradsum: Gradsum) -> None:
    answer = gradsum(*SWEEP, "--over", "lr=1e-3:1:log:4", "--over", "seed=1:3", "--sampler", "grid", "--epochs", 1)
    assert answer.code == 0
    assert "and 2 more" in answer.out.splitlines()
    assert "sweep 1: 12 trials" in answer.err


def test_when_no_trial_finishes_it_has_failed(gradsum: Gradsum) -> None:
    answer = gradsum(*SWEEP, "--over", "lr=1e18", "--optimizer", "sgd", "--sampler", "grid")
    assert answer.code == 1
    assert "no trial finished" in answer.out
    assert "trial 1 failed: DivergedError: step" in answer.err


def test_options_for_all_trials_may_be_in_a_file(gradsum: Gradsum) -> None:
    Path("c.toml").write_text("momentum = 0.5\nsteps = 4\n")
    result = gradsum(*SWEEP, "--over", "seed=1,2", "--sampler", "grid", "--config", "c.toml", "--json").json()
    text = Path(result["config"]).read_text()
    assert "momentum = 0.5\n" in text
    assert "steps = 4\n" in text
    Path("c.toml").write_text('resume = "out"\n')
    answer = gradsum(*SWEEP, *OVER, "--config", "c.toml")
    assert (answer.code, answer.err) == (2, "gradsum: --config c.toml: no option 'resume'\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "a sweep needs something to try: give --over SETTING=VALUES, such as lr=1e-4:1e-1:log"),
        (["--over", "lr"], "--over 'lr': write SETTING=VALUES"),
        (["--over", "=3"], "--over '=3': write SETTING=VALUES"),
        (["--over", "lr=1", "--over", "lr=2"], "--over lr is given twice; give all its values together, lr=a,b,c"),
        (["--over", "rate=1"], "over 'rate': that is no setting. There are model, batch_size"),
        (["--over", "lr=1:2:log", "--sampler", "grid"], "to try: lr=1:2:log:5"),
        (["--over", "lr=1:2", "--lr", "3"], "lr is given twice"),
        (["--over", "lr=1:2", "--trials", "0"], "trials must be from 1 to 1000000, got 0"),
        (["--over", "lr=1:2", "--sampler", "x"], "sampler must be one of grid, random, tpe, got 'x'"),
        (["--resume", "3"], "there is no database r.db"),
        (["--over", "lr=1:2", "--bind", "nonsense"], "'nonsense' is not an address"),
    ],
)
def test_mistakes(gradsum: Gradsum, arguments: list[str], text: str) -> None:
    sweep = (
        [word for word in SWEEP if word not in ("--model", "mlp", "--out", "out")] if "--resume" in arguments else SWEEP
    )
    answer = gradsum(*sweep, *arguments, "--quiet")
    assert (answer.code, answer.out) == (2, "")
    assert text in answer.err
    assert answer.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["data.npz"]


class Stopping(SweepReporter):
    """Sends Ctrl-C in a step of trial 2."""

    def __init__(self) -> None:
        self.trial = 0

    def trial_started(self, trial: Trial) -> None:
        self.trial = trial.number

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        if (self.trial, report.step) == (2, 3):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_sweep_says_how_to_go_on(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradsum(*SWEEP, *OVER, "--db", "whole.db", "--out", "whole", "--json").json()
    with monkeypatch.context() as patch:
        patch.setattr("engine.cli.live.reporters.sweep_reporter_for", lambda *_: Stopping())
        stopped = gradsum(*SWEEP, *OVER, "--name", "my sweep")
    assert stopped.code == 130
    lines = stopped.out.splitlines()
    place = lines.index("Interrupted in trial 2 of 4. Resume with:")
    assert lines[place + 1] == "  gradsum sweep --resume 'my sweep' --db r.db"
    rest = gradsum("sweep", "--resume", "my sweep", "--db", "r.db", "--json")
    assert rest.code == 0
    assert rest.json()["trials"] == whole["trials"]


class BetweenTrials(SweepReporter):
    """Sends Ctrl-C when a trial is over, or before the first."""

    def __init__(self, trial: int) -> None:
        self.trial = trial

    def sweep_started(self, sweep: int, trials: int) -> None:
        self.over(0)

    def trial_ended(self, trial: Trial) -> None:
        self.over(trial.number)

    def over(self, number: int) -> None:
        if number == self.trial:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("trial", "moment"), [(0, "before trial 1"), (2, "after trial 2")])
def test_between_two_trials_it_is_interrupted_in_none(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, trial: int, moment: str
) -> None:
    monkeypatch.setattr("engine.cli.live.reporters.sweep_reporter_for", lambda *_: BetweenTrials(trial))
    answer = gradsum(*SWEEP, *OVER)
    assert answer.code == 130
    assert f"Interrupted {moment} of 4. Resume with:" in answer.out.splitlines()


def test_workers_of_other_machines_stay_for_all_trials_at_the_same_port(tidy: Path) -> None:
    arguments = [word for word in SWEEP if word != "--epochs"]
    arguments[arguments.index(3)] = "--quiet"
    sweep = start(*arguments, "--epochs", 2, *OVER, "--bind", "tcp://127.0.0.1:0", "--json")
    with worker(printed(sweep)) as process:
        answer = finish(sweep)
    assert answer.code == 0, answer.err
    assert len(answer.json()["trials"]) == 4
    with sqlite3.connect("r.db") as db:
        assert db.execute("SELECT DISTINCT pid FROM workers").fetchall() == [(process.pid,)]
        assert db.execute("SELECT count(*) FROM workers").fetchone() == (4,)


def test_workers_end_with_a_sweep_that_is_killed(tidy: Path, gradsum: Gradsum) -> None:
    endless = (
        "--workers",
        2,
        "--epochs",
        1 << 20,
        *NEVER,
        "--validate-every",
        1 << 30,
    )  # so that nothing is being saved
    process = start(*SWEEP, "--over", "lr=0.01,0.02", "--sampler", "grid", *endless)
    wait_for(process.stderr, "epoch")
    pids = [pid for pid in processes(tidy.name) if pid != process.pid]
    assert len(pids) in (2, 3), "and where they are forked, the process that does it"
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert wait_for_end(pids) == []
    assert list(tidy.iterdir()) == []


def trial(number: int, percent: float, state: TrialStatus = TrialStatus.FINISHED) -> Trial:
    return Trial(number, {"lr": 0.1 / number, "model": "[b]mlp"}, state, number, (Point(2.5, 50, percent),), "why")


def play(reporter: SweepReporter, count: int) -> None:
    """Let a sweep of 20 be in its trial `count`."""
    reporter.status("preparing data and model")
    reporter.sweep_started(7, 20)
    for number in range(1, count + 1):
        reporter.trial_started(Trial(number, {"lr": 0.1 / number, "model": "[b]mlp"}, run=number))
        reporter.started(info(run=number))
        reporter.step(step(50, loss=float(number)), workers(2))
        reporter.validated(Validation(50, 100 - number, 100, 0.3))
        if number < count:
            reporter.ended()
            reporter.trial_ended(
                trial(number, 100.0 - number, TrialStatus.PRUNED if number == 2 else TrialStatus.FINISHED)
            )


def last_frame(text: str) -> str:
    return text[text.rindex("sweep 7:") :]


def test_the_live_table_has_the_trials_and_the_panel_of_the_newest() -> None:
    stream = Terminal()
    board = sweep_reporter_for(stream, quiet=False)
    play(board, 3)
    frame = last_frame(stream.text())
    assert "sweep 7: 2 of 20 trials" in frame
    for row in (
        r"trial +lr +model +% correct +step +run +state",
        r"1 +0\.1 +\[b\]mlp +99\.00 +50 +1 +finished",
        r"2 +0\.05 +\[b\]mlp +98\.00 +50 +2 +pruned",
        r"3 +0\.03333 +\[b\]mlp +97\.00 +50 +3 +running",
        r"trial 3: lr 0\.03333, model \[b\]mlp",
        r"step +50 of 200 ",
        r"loss +3\.0000 +│",
        r"validation +97\.00 % after step 50",
    ):
        assert re.search(row, frame), row
    board.sweep_ended()
    out = stream.getvalue()
    assert out.count(HIDE) == out.count(SHOW) == 1
    assert out.endswith(f"\x1b[2K{SHOW}\r"), "every line is erased"


@pytest.mark.parametrize("lines", [24, 60])
def test_the_live_table_fits_into_the_terminal(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    monkeypatch.setenv("LINES", str(lines))
    stream = Terminal()
    board = sweep_reporter_for(stream, quiet=False)
    play(board, 20)
    board.sweep_ended()
    frame = last_frame(stream.text()[: stream.text().rindex("╯") + 1])
    assert len(frame.splitlines()) < lines
    assert re.search(r"^ +1 +0\.1 ", frame, re.MULTILINE), "the best is always there"
    assert re.search(r"^ +20 +0\.005 ", frame, re.MULTILINE)
    assert ("..." in frame) == (lines == 24)


def test_which_trials_are_in_sight() -> None:
    trials = [trial(n, 100.0 if n in (3, 4, 9) else n) for n in range(1, 21)]
    assert in_sight(trials, 20) == trials
    found = in_sight(trials, 3 * BEST)
    assert [t and t.number for t in found] == [None, 3, 4, None, 9, None, 18, 19, 20]


def test_lines_and_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    stream = io.StringIO()
    lines = sweep_reporter_for(stream, quiet=False)
    assert type(lines) is SweepLines
    play(lines, 2)
    lines.notice("worker w left")
    lines.trial_ended(trial(2, 98.0, TrialStatus.PRUNED))
    lines.sweep_ended()
    assert stream.getvalue().splitlines() == [
        "preparing data and model ...",
        "sweep 7: 20 trials",
        "trial 1 of 20: lr 0.1, model [b]mlp",
        "run 1: letters (137,178 parameters) on 1,000 generated letters, 2 workers",
        "  trains with 1,000 images, chooses by the other part, 100; none is left to test with",
        "validation after step 50: 99.00 % correct",
        "trial 1 finished: 99.00 % correct after step 50",
        "trial 2 of 20: lr 0.05, model [b]mlp",
        "run 2: letters (137,178 parameters) on 1,000 generated letters, 2 workers",
        "  trains with 1,000 images, chooses by the other part, 100; none is left to test with",
        "validation after step 50: 98.00 % correct",
        "worker w left",
        "trial 2 pruned: why",
    ]
    quiet = sweep_reporter_for(Terminal(), quiet=True)
    assert type(quiet) is QuietSweep
    assert type(sweep_reporter_for(None, quiet=False)) is SweepReporter


def test_in_a_real_terminal_the_live_table_comes_and_goes(tidy: Path) -> None:
    main, side = pty.openpty()
    process = start(*SWEEP, *OVER, "--json", stderr=side)
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
    assert "\x1b" not in answer.out
    result: dict[str, Any] = json.loads(answer.out.splitlines()[-1])
    assert result["state"] == "finished"
    assert b"sweep 1: " in said
    assert b"of 4 trials" in said
    assert said.count(HIDE.encode()) == said.count(SHOW.encode()) == 1
