"""Training with workers that join over TCP, real processes each: the bits are those of a serial run."""

import re
import signal
import socket
import sqlite3
import stat
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from zmq.utils import z85

from engine.checkpoint import load
from engine.wire import Dialer
from engine.wire import messages as m
from engine.wire.keys import Keys
from tests.support.command import PATIENCE, SMALL, Answer, Gradsum, finish, save_data, start, wait_for
from tests.support.remote import ALONE, coordinator, printed, worker

STEPS = ("--steps", 12)
PLACES = ("--db", "r.db", "--out", "out")


@pytest.fixture
def serial(gradsum: Gradsum) -> str:
    """Return the hash of the parameters after a quiet run in one process."""
    save_data()
    return str(gradsum(*ALONE, *STEPS, "--db", "serial.db", "--out", "serial").json()["params_sha256"])


@pytest.mark.parametrize("local", [0, 1])
def test_workers_join_with_the_printed_command(serial: str, local: int, tidy: Path) -> None:
    run, command = coordinator(*STEPS, "--workers", local, "--db", "r.db", "--out", "out")
    file = Path(command[-1])
    assert command[1:] == ["--key", str(file)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.parent.parent == tidy
    keys = tomllib.loads(file.read_text())
    with worker(command), worker(command):
        ended = finish(run)
    assert (ended.code, ended.json()["params_sha256"]) == (0, serial)
    assert not file.exists()
    with sqlite3.connect("r.db") as db:
        assert db.execute("SELECT count(*) FROM workers WHERE images > 0").fetchone()[0] >= 1
        known = [key for (key,) in db.execute("SELECT key FROM workers WHERE key IS NOT NULL")]
        told = "\n".join(db.iterdump())
    assert len(set(known)) == len(known) >= 1 - local, "a local worker may have done it all"
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in known)
    everything = [told.encode(), *(path.read_bytes() for path in Path("out").iterdir())]
    everything += [ended.out.encode(), ended.err.encode()]
    assert list(keys) == ["server_public", "server_secret"], "and both are to be kept from others"
    secrets = [form for key in keys.values() for form in (key.encode(), z85.decode(key.encode()).hex().encode())]
    assert not any(secret in text for secret in secrets for text in everything)


def test_the_coordinator_command_is_a_run_without_workers_of_its_own(gradsum: Gradsum, serial: str) -> None:
    arguments = [word for word in (*ALONE[1:], *STEPS) if word not in ("--workers", 0)]
    run = start("coordinator", *arguments, "--bind", "tcp://127.0.0.1:0", "--insecure")
    assert run.stderr is not None
    assert run.stderr.readline() == "workers on other machines join with:\n"
    command = run.stderr.readline().split()[2:]
    assert command[1:] == ["--insecure"]
    with worker(command[:1]):  # on the same machine it goes without saying
        assert finish(run).json()["params_sha256"] == serial


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "wants a key: give --key FILE here, a copy of its key file, or start it with --insecure"),
        (["--insecure"], "takes no keys: give --insecure in place of --key here, or start it without --insecure"),
    ],
)
def test_a_worker_that_differs_on_keys_says_so_and_ends(tidy: Path, options: list[str], said: str) -> None:
    save_data()
    key = Path("key").absolute()
    Keys.make().write(key)
    run, (address, *_) = coordinator(*STEPS, *options)
    with worker([address, *(["--key", str(key)] if options else [])]) as process:
        assert process.stderr is not None
        *earlier, last = process.stderr.readlines()
        assert last == f"gradsum worker: the coordinator at {address} {said}\n"
        assert all("no coordinator has been reached yet" in line for line in earlier), "on a machine without time"
        assert process.wait(PATIENCE) == 1
    run.send_signal(signal.SIGINT)
    assert finish(run).code == 130


def test_keys_of_ones_own_are_kept_and_open_the_next_run(serial: str) -> None:
    key = Path("my keys")
    for _ in range(2):
        run, command = coordinator(*STEPS, "--key", key)
        assert command[1:] == ["--key", str(key.absolute())]
        with worker(command):
            assert finish(run).json()["params_sha256"] == serial
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_no_worker_comes_and_ctrl_c_ends_it(tidy: Path) -> None:
    save_data()
    run, _ = coordinator(*STEPS)
    run.send_signal(signal.SIGINT)
    assert finish(run).code == 130


def ended_by_the_clock(answer: Answer) -> None:
    """Assert that the run in r.db ended in the usual way, because its time was over."""
    reason = "the time limit of 0.5 seconds is reached"
    assert (answer.code, answer.json()["state"], answer.json()["reason"]) == (0, "finished", reason)
    assert answer.json()["steps"] == load(Path("out")).step
    with closing(sqlite3.connect("r.db")) as db:
        assert db.execute("SELECT state, reason FROM runs").fetchall() == [("finished", reason)]


def test_the_time_is_over_and_no_worker_came(tidy: Path) -> None:
    save_data()
    run, _ = coordinator(*PLACES, "--time-limit", 0.5)
    answer = finish(run)
    ended_by_the_clock(answer)
    assert answer.out.startswith("No step was taken: the time limit of 0.5 seconds is reached. ")


def test_the_time_is_over_while_the_run_waits_for_another_worker(tidy: Path) -> None:
    save_data()
    run = start(*SMALL, "--json", "--bind", "tcp://127.0.0.1:0", *PLACES, "--time-limit", 0.5)
    with worker(printed(run)) as process:
        wait_for(run.stderr, "run 1: ")
        process.kill()
        ended_by_the_clock(finish(run))


def test_what_a_peer_calls_itself_cannot_steer_the_terminal(gradsum: Gradsum) -> None:
    save_data()
    run = start(*SMALL, "--bind", "tcp://127.0.0.1:0", "--insecure", *PLACES)
    dialer = Dialer(printed(run)[0], 0)
    try:
        while not dialer.connected():
            dialer.poll(0.02)
        dialer.send(m.encode(m.Hello("\x1b]0;owned\x07\x1b[2J", 7, "other numbers\x1b[2J")))
        assert run.stderr is not None
        said = next(line for line in run.stderr if line.startswith("worker "))
        run.send_signal(signal.SIGINT)
        finish(run)
    finally:
        dialer.close()
    host = r"\x1b]0;owned\x07\x1b[2J"
    assert said.startswith(f"worker {host}:7 refused: ")
    for text in (said, gradsum("show", 1, "--db", "r.db").out):
        assert host in text
        assert text.replace("\n", "").isprintable()
    assert gradsum("report", 1, "--db", "r.db", "-o", "page.html").code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert host in page
    assert "\x1b" not in page


def test_a_worker_that_stays_for_the_rest_of_the_run_has_another_name_then(tidy: Path) -> None:
    save_data()
    run, command = coordinator("--key", "k", *PLACES, "--steps", 8, "--validate-every", 4)
    with worker(command):
        assert finish(run).code == 0
        rest = start("train", "--resume", "out", "--bind", command[0], "--key", "k", "--steps", 12, "--quiet")
        assert finish(rest).code == 0
    with closing(sqlite3.connect("r.db")) as db:
        workers = db.execute("SELECT worker, pid, images FROM workers ORDER BY joined").fetchall()
    (first, pid, before), (second, same, after) = workers
    assert (second, same) == (f"{first}#2", pid)
    assert (before, after) == (8 * 8, 4 * 8)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--bind", "nonsense"], ["'nonsense' is not an address; try tcp://HOST:PORT"]),
        (["--bind", "tcp://127.0.0.1:65536"], ["with a port from 0 to 65535"]),
        (["--bind", "ipc:///tmp/x"], ["is not an address"]),
        (["--bind", "tcp://no.such.host.invalid:0"], ["the host 'no.such.host.invalid'", "is unknown"]),
        (["--key", "k"], ["key is for workers on other machines: also give --bind"]),
        (["--insecure"], ["insecure is for workers on other machines: also give --bind"]),
        (["--bind", "tcp://*:0", "--key", "k", "--insecure"], ["exclude each other"]),
        (["--bind", "tcp://*:0", "--key", "no/such/folder/k"], ["no/such/folder/k cannot be written: No such file"]),
        (["--bind", "tcp://*:0", "--key", "data.npz"], ["the key file", "data.npz has mode 644", "chmod 600"]),
    ],
)
def test_what_cannot_be_bound(gradsum: Gradsum, arguments: list[str], texts: list[str]) -> None:
    Path(save_data()).chmod(0o644)
    answer = gradsum(*SMALL, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert all(text in answer.err for text in texts), answer.err
    assert "Traceback" not in answer.err
    assert [path.name for path in Path().iterdir()] == ["data.npz"]


def test_a_coordinator_without_an_address(gradsum: Gradsum) -> None:
    answer = gradsum("coordinator")
    assert (answer.code, answer.err) == (
        2,
        "gradsum: give --bind tcp://HOST:PORT, where workers on other machines join\n",
    )


def test_a_port_that_is_taken(gradsum: Gradsum) -> None:
    save_data()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        answer = gradsum(*SMALL, "--bind", address)
    assert answer.code == 1
    assert f"cannot listen at {address}: Address already in use" in answer.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["tcp://192.0.2.1:5555"], "is on another machine: copy the key file"),
        (["tcp://192.0.2.1:5555", "--key", "none"], "the key file none cannot be read: No such file"),
        (["ipc:///x", "--key", "none"], "--key is for a tcp:// address"),
        (["tcp://127.0.0.1:5555", "--key", "none", "--insecure"], "and not with --insecure"),
        (["tcp://nonsense"], "is not an address"),
    ],
)
def test_a_worker_without_the_right_to_join(arguments: list[str], text: str, tidy: Path) -> None:
    with worker(arguments) as process:
        assert process.stderr is not None
        said = process.stderr.readlines()
        assert process.wait(PATIENCE) == 2
    assert len(said) == 1
    assert text in said[0]
