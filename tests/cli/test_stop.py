"""Ctrl-C, SIGTERM and worse, at any moment: the run is saved, can be resumed to the same bits, and leaves nothing."""

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import weakref
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from engine import cli
from engine.checkpoint import load
from engine.cli.exit_codes import INTERRUPTED
from engine.coordinator.source import WorkerReport
from engine.errors import InterruptedRoundError
from engine.launch.local_workers import LocalWorkers
from engine.system import signals
from engine.system.signals import NEAR_LIMIT, Interrupt
from tests.support.command import PATIENCE, SMALL, Gradsum, finish, save_data, start, wait_for, wait_for_end
from tests.support.leaks import processes
from tests.support.repository import ROOT
from tests.support.saboteur import Action, Sabotage

PLACES = ("--db", "r.db", "--out", "out")
STEPS = ("--steps", 12, "--validate-every", 4, "--json")


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


def send(*numbers: int) -> Action:
    """Return an action that sends signals to this process."""

    def act(_: list[WorkerReport]) -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return act


def uninterrupted(gradsum: Gradsum) -> dict[str, Any]:
    """Return the result of the run that nobody stops."""
    return gradsum(*SMALL, *STEPS, "--db", "whole.db", "--out", "whole").json()


def states(gradsum: Gradsum) -> list[str]:
    """Return the states of the runs in r.db."""
    return [run["state"] for run in json.loads(gradsum("runs", "--db", "r.db", "--json").out)]


@pytest.mark.parametrize(
    ("moment", "number", "workers", "step"),
    [
        ("preparing", signal.SIGINT, 0, 0),
        ("preparing", signal.SIGTERM, 2, 0),
        ("waiting for workers", signal.SIGINT, 2, 0),
        ("started", signal.SIGINT, 0, 0),
        ("started", signal.SIGTERM, 2, 0),
        ("step 3", signal.SIGINT, 2, 4),  # a step is reported while the next one is computed
        ("step 3", signal.SIGTERM, 0, 4),
        ("step 3", signal.SIGHUP, 0, 4),
        ("waiting for workers", signal.SIGUSR1, 2, 0),
        ("step 3", signal.SIGUSR1, 2, 4),
        ("step 3", signal.SIGXCPU, 0, 4),
        ("validating", signal.SIGINT, 0, 4),
        ("validating", signal.SIGTERM, 2, 4),
        ("validated", signal.SIGINT, 0, 4),
    ],
)
def test_a_run_that_is_stopped_is_saved_and_goes_on_to_the_same_bits(
    gradsum: Gradsum, sabotage: Sabotage, moment: str, number: int, workers: int, step: int
) -> None:
    whole = uninterrupted(gradsum)
    saboteur = sabotage(moment, send(number))
    stopped = gradsum(*SMALL, *STEPS, *PLACES, "--workers", workers)
    assert saboteur.action is None, "the moment never came"
    assert (stopped.code, stopped.err) == (INTERRUPTED, "")
    result = stopped.json()
    assert (result["state"], result["steps"], result["reason"]) == (
        "interrupted",
        step,
        f"it got {signal.Signals(number).name}",
    )
    assert states(gradsum) == ["interrupted"]
    first, command = stopped.out.splitlines()[:2]
    assert first == f"Interrupted after step {step}. Resume with:"
    program, *arguments = shlex.split(command)
    assert program == "gradsum"
    resumed = gradsum(*arguments, "--json", "--workers", 0)
    assert resumed.code == 0
    rest = resumed.json()
    assert (rest["run"], rest["steps"], rest["params_sha256"]) == (1, 12, whole["params_sha256"])
    assert rest["validation"] == whole["validation"]
    assert states(gradsum) == ["finished"]


@pytest.mark.parametrize(
    ("moment", "number", "workers"),
    [
        ("step 11", signal.SIGINT, 0),  # reported while step 12 is computed
        ("step 11", signal.SIGINT, 2),
        ("step 12", signal.SIGINT, 2),
        ("step 12", signal.SIGTERM, 0),
    ],
)
def test_a_run_that_is_stopped_in_its_last_step_is_finished(
    gradsum: Gradsum, sabotage: Sabotage, moment: str, number: int, workers: int
) -> None:
    whole = uninterrupted(gradsum)
    saboteur = sabotage(moment, send(number))
    answer = gradsum(*SMALL, *STEPS, *PLACES, "--workers", workers)
    assert saboteur.action is None, "the moment never came"
    assert (answer.code, answer.err) == (0, "")
    assert "Interrupted" not in answer.out
    for name in ("state", "reason", "steps", "params_sha256", "validation"):
        assert answer.json()[name] == whole[name]
    assert states(gradsum) == ["finished"]


def test_a_run_whose_last_step_is_done_is_finished_even_if_nobody_is_left_to_validate(
    gradsum: Gradsum, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> None:
        raise InterruptedRoundError

    whole = uninterrupted(gradsum)
    sabotage("step 12", lambda _: monkeypatch.setattr("engine.coordinator.serial.Serial.validate", nobody))
    answer = gradsum(*SMALL, *STEPS, *PLACES)
    assert (answer.code, answer.json()["params_sha256"]) == (0, whole["params_sha256"])
    assert "after 8 steps" in answer.out, "the last validation that there was"
    assert states(gradsum) == ["finished"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_ctrl_c_leaves_at_once(
    gradsum: Gradsum, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(signals, "TOGETHER", 0.0)
    sabotage("validating", send(signal.SIGINT, signal.SIGINT))
    stopped = gradsum(*SMALL, *STEPS, *PLACES, "--workers", workers, "--checkpoint-every", 2)
    assert stopped.code == INTERRUPTED
    assert "validation" not in stopped.out
    said, hint, command = stopped.err.splitlines()
    assert (said, hint) == ("gradsum: interrupted", "Resume from the checkpoint of step 2 with:")
    assert states(gradsum) == ["interrupted"]
    program, *arguments = shlex.split(command)
    assert program == "gradsum"
    resumed = gradsum(*arguments, "--json", "--workers", 0)
    assert resumed.json()["params_sha256"] == uninterrupted(gradsum)["params_sha256"]


def test_a_second_ctrl_c_after_the_last_step_has_nothing_to_go_on_with(
    gradsum: Gradsum, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step has its checkpoint, and is being validated."""
    monkeypatch.setattr(signals, "TOGETHER", 0.0)
    sabotage("validating", send(signal.SIGINT, signal.SIGINT))
    stopped = gradsum(*SMALL, "--steps", 5, "--validate-every", 100, "--checkpoint-every", 5, *PLACES)
    assert (stopped.code, stopped.out) == (INTERRUPTED, "")
    checkpoint = "out/step-00000005.safetensors"
    assert stopped.err == f"gradsum: interrupted\nAll 5 steps are done; the last checkpoint is {checkpoint}\n"
    assert gradsum("evaluate", checkpoint, "--json").json()["total"] == 12
    assert states(gradsum) == ["interrupted"]


def test_a_second_ctrl_c_before_there_is_a_checkpoint(
    gradsum: Gradsum, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "TOGETHER", 0.0)
    sabotage("validating", send(signal.SIGINT, signal.SIGINT))
    stopped = gradsum(*SMALL, *STEPS, *PLACES)
    assert (stopped.code, stopped.out, stopped.err) == (INTERRUPTED, "", "gradsum: interrupted\n")


def test_a_second_ctrl_c_while_workers_are_closed_says_where_the_run_is(
    gradsum: Gradsum, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = LocalWorkers.close

    def interrupted(workers: LocalWorkers) -> None:
        close(workers)
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalWorkers, "close", interrupted)
    sabotage("validating", send(signal.SIGINT))
    stopped = gradsum(*SMALL, *STEPS, *PLACES, "--workers", 1, "--quiet")
    assert stopped.code == INTERRUPTED
    said, hint, command = stopped.err.splitlines()
    assert (said, command) == ("gradsum: interrupted", "  gradsum train --resume out")
    assert hint.startswith("Resume from the checkpoint of step ")


def test_signals_are_one_wish_two_ctrl_c_an_order_and_more_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "TOGETHER", 0.0)
    heard: list[str] = []
    with Interrupt(lambda: heard.append("first")) as wish:
        assert wish.requested == ""
        os.kill(os.getpid(), signal.SIGTERM)
        assert (wish.requested, heard) == ("SIGTERM", ["first"])
        os.kill(os.getpid(), signal.SIGTERM)  # as `timeout` does: once to us, once to our group
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # while everything is being tidied up
        assert (wish.requested, heard) == ("SIGTERM", ["first"])


def test_signals_that_come_together_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "TOGETHER", 1e9)
    with Interrupt() as wish:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert wish.requested == "SIGINT"


def test_the_handlers_of_others_come_back_and_what_was_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        others = [signal.getsignal(number) for number in signals.SIGNALS]
        with Interrupt():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is not others[0]
        assert [signal.getsignal(number) for number in signals.SIGNALS] == others
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, *NEAR_LIMIT])
def test_before_anything_has_begun_there_is_nothing_to_save(tidy: Path, number: int) -> None:
    process = start(*SMALL, *PLACES)
    wait_for(process.stderr, "loading")
    process.send_signal(number)
    answer = finish(process)
    assert answer.code == INTERRUPTED
    assert "Traceback" not in answer.err
    if answer.out == "":
        assert answer.err.endswith("gradsum: interrupted\n")
        assert sorted(path.name for path in Path().iterdir()) == ["data.npz"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_whose_interrupt_python_drops_comes_again(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: list[str]) -> int:
        thing = Event()
        gone = weakref.ref(thing, lambda _: os.kill(os.getpid(), number))  # what a handler raises here is dropped
        del thing
        assert gone() is None
        Event().wait(PATIENCE)
        return 0

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main([]) == INTERRUPTED


def test_a_signal_of_which_an_import_makes_an_error_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: list[str]) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("Importing the numpy C-extensions failed") from None
        return 0

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main([]) == INTERRUPTED
    assert capsys.readouterr().err == "gradsum: interrupted\n"


# Interrupts the import of a module where Python drops it.
DROPPING = """
import sys, weakref
class Finder:
    def find_spec(self, name, *_):
        if name == {name!r}:
            def callback(_):
                raise KeyboardInterrupt
            thing = Finder()
            gone = weakref.ref(thing, callback)
            del thing
sys.meta_path.insert(0, Finder())
hook = sys.unraisablehook
try:
    from gradsum import main
except KeyboardInterrupt:
    print(sys.unraisablehook is hook)
else:
    sys.exit(main())
"""


@pytest.mark.parametrize(("name", "answer"), [("engine", (0, "True\n", "")), ("signal", None), ("engine.cli", None)])
def test_an_interruption_that_python_drops_while_it_imports_us_is_one(
    name: str, answer: tuple[int, str, str] | None
) -> None:
    command = [sys.executable, "-c", DROPPING.format(name=name), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (answer or (INTERRUPTED, "", "gradsum: interrupted\n"))


def test_a_signal_while_a_class_is_made_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    def run(_: list[str]) -> int:
        type("Settings", (), {"field": Field()})
        return 0

    def fail(_: list[str]) -> int:
        raise RuntimeError("ours")

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main([]) == INTERRUPTED
    assert capsys.readouterr().err == "gradsum: interrupted\n"
    monkeypatch.setattr(cli, "_run", fail)
    with pytest.raises(RuntimeError, match="ours"):
        cli.main([])


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_in_a_terminal_goes_to_the_whole_group(tidy: Path, gradsum: Gradsum, workers: int) -> None:
    process = start(*SMALL, "--steps", 1 << 30, *PLACES, "--workers", workers)
    wait_for(process.stderr, "run 1:")
    os.killpg(process.pid, signal.SIGINT)
    answer = finish(process)
    assert answer.code == INTERRUPTED
    assert "Traceback" not in answer.err
    assert answer.out.startswith("Interrupted after step ")
    assert states(gradsum) == ["interrupted"]
    step = int(answer.out.split(".")[0].split()[-1])
    rest = gradsum("train", "--resume", "out", "--steps", step + 3, "--workers", 0, "--json").json()
    whole = gradsum(*SMALL, "--steps", step + 3, "--db", "whole.db", "--json").json()
    assert rest["params_sha256"] == whole["params_sha256"]


@pytest.mark.parametrize("number", NEAR_LIMIT)
def test_what_a_cluster_manager_sends_to_all_processes_is_for_the_coordinator(tidy: Path, number: int) -> None:
    process = start(*SMALL, "--steps", 1 << 30, *PLACES, "--workers", 2)
    wait_for(process.stderr, "run 1:")
    others = [pid for pid in processes(tidy.name) if pid != process.pid]
    assert len(others) in (2, 3), "workers, and where they are forked, the process that does it"
    for pid in others:
        os.kill(pid, number)
    wait_for(process.stderr, "validation after")  # with the same workers, which is seen below
    for pid in (*others, process.pid, process.pid):
        os.kill(pid, number)
    answer = finish(process)
    assert answer.code == INTERRUPTED
    assert (answer.err, answer.out.splitlines()[1]) == ("", "  gradsum train --resume out")
    with closing(sqlite3.connect("r.db")) as db:
        workers = {pid for (pid,) in db.execute("SELECT pid FROM workers")}
        assert len(workers) == 2
        assert workers <= set(others)
        assert db.execute("SELECT DISTINCT kind FROM events").fetchall() == [("joined",)]


@pytest.mark.parametrize("number", NEAR_LIMIT)
def test_a_coordinator_that_waits_for_workers_says_how_to_resume(
    gradsum: Gradsum, sabotage: Sabotage, number: int
) -> None:
    sabotage("waiting for workers", send(number))
    stopped = gradsum("coordinator", *SMALL[1:], *STEPS, *PLACES, "--bind", "tcp://127.0.0.1:0")
    assert (stopped.code, stopped.out.splitlines()[1]) == (INTERRUPTED, "  gradsum train --resume out")


@pytest.mark.parametrize("number", NEAR_LIMIT)
def test_workers_for_another_machine_leave_what_a_cluster_manager_sends_to_the_coordinator(
    tidy: Path, number: int
) -> None:
    pool = start("worker", "tcp://127.0.0.1:9", "--processes", 1, "--patience", 100)
    while not (workers := [pid for pid in processes(tidy.name) if pid != pool.pid]):
        assert pool.poll() is None
    for pid in (*workers, pool.pid):
        os.kill(pid, number)
    pool.terminate()
    assert finish(pool) == (0, "", "")


def test_workers_end_with_a_coordinator_that_is_killed(tidy: Path, gradsum: Gradsum) -> None:
    process = start(*SMALL, "--steps", 1 << 30, *PLACES, "--workers", 2, "--checkpoint-every", 1)
    wait_for(process.stderr, "validation after step 10:")
    workers = [pid for pid in processes(tidy.name) if pid != process.pid]
    assert len(workers) in (2, 3), "and where they are forked, the process that does it"
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert wait_for_end(workers) == []
    assert list(tidy.iterdir()) == [], "the workers remove the folder of the sockets"
    step = load(Path("out")).step
    assert step >= 5
    resumed = gradsum("train", "--resume", "out", "--steps", step + 3, "--workers", 0, "--json")
    assert resumed.json()["steps"] == step + 3
    assert states(gradsum) == ["finished"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_changes_nothing(gradsum: Gradsum, sabotage: Sabotage, workers: int) -> None:
    whole = uninterrupted(gradsum)
    saboteur = sabotage("step 3", lambda reports: os.kill(reports[0].pid, signal.SIGKILL))
    answer = gradsum(*SMALL, *STEPS, *PLACES, "--workers", workers)
    assert (answer.code, answer.err) == (0, "")
    assert answer.json()["params_sha256"] == whole["params_sha256"]
    assert saboteur.action is None
    assert any(" lost: " in notice for notice in saboteur.notices)
