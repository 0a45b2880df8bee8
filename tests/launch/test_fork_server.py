"""Workers forked from a process that has loaded everything: what they have of it, how they end, and when it ends."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from engine.launch.fork_server import ANSWER, REPORT, UNKNOWN, Forked, ForkServer, fork_server
from engine.launch.local_workers import LocalWorkers
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.launch.server_process import executed
from engine.wire import Listener
from tests.support.clocks import LeapingClock
from tests.support.cluster import descriptors, exists
from tests.support.command import PATIENCE, wait_for_end
from tests.support.repository import ROOT

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has what it takes"),
    pytest.mark.usefixtures("numpy_kernels"),
]

# A server in a process that has a thread besides.
THREADED = """
import sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
from workers.fork_server import serve
serve(int(sys.argv[2]))
"""

# Starts two workers and says who they, and the server, are; then it waits to be killed. A word: the server is a fork.
PARENT = """
import signal, sys
from engine.launch.fork_server import fork_server
from engine.launch.local_workers import LocalWorkers
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.system.forks import own_process
from engine.wire import Listener
with own_process(), rendezvous_folder() as folder, fork_server(len(sys.argv) > 1) as server:
    address = f"unix://{folder / SOCKET}"
    with Listener(address, 1000) as listener, LocalWorkers(address, 2, server=server) as workers:
        hellos = 0
        while hellos < 2:
            hellos += len(listener.poll(1.0))
        workers.look()
        print(folder, server.pid, *workers.pids, flush=True)
        signal.pause()
"""


# Has a server that knows of a folder, and ends when its input does: by SIGKILL, or as it should.
LEAVING = """
import os, sys
from engine.launch.fork_server import fork_server
from engine.launch.rendezvous import rendezvous_folder
with fork_server() as server, rendezvous_folder() as folder:
    server.leave(folder)
    print(server.pid, folder, flush=True)
    sys.stdin.read()
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
"""


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline


class Child:
    """A forked worker with `words`, the other end of its standard input, and its standard error."""

    def __init__(self, server: ForkServer, *words: str, inherited: Sequence[int] = (), cpu: int | None = None) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        stdin, self.pipe = os.pipe()
        try:
            self.forked: Forked = server.fork(words, (stdin, self.errors.fileno()), inherited, cpu)
        except OSError:
            self.__exit__()
            raise
        finally:
            os.close(stdin)

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.pipe)
        self.errors.close()


@pytest.fixture
def server() -> Iterator[ForkServer]:
    with fork_server() as server:
        assert server
        yield server
    assert not exists(server.pid)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with rendezvous_folder() as folder, Listener(f"unix://{folder / SOCKET}", 1000) as listener:
        yield listener


def hear(listener: Listener) -> None:
    """Wait until a worker has said hello; the end of another one wakes the listener, too."""
    deadline = time.monotonic() + PATIENCE
    while not listener.poll(1.0):
        assert time.monotonic() < deadline


def joined(listener: Listener, server: ForkServer, **options: Any) -> Child:
    """Fork a worker, and return it when it has said hello."""
    child = Child(server, listener.address, "--tied", **options)
    hear(listener)
    assert child.forked.poll() is None
    return child


def test_a_worker_has_the_descriptors_it_was_given_and_none_of_its_siblings(
    listener: Listener, server: ForkServer
) -> None:
    inherited, kept = os.pipe()
    with joined(listener, server) as sibling, joined(listener, server, inherited=[inherited]) as child:
        has = {int(path.name): str(path.readlink()) for path in Path(f"/proc/{child.forked.pid}/fd").iterdir()}
        assert has[inherited] == f"pipe:[{os.fstat(inherited).st_ino}]"
        assert has[0] == f"pipe:[{os.fstat(child.pipe).st_ino}]"
        assert has[1] == os.devnull
        assert f"pipe:[{os.fstat(sibling.pipe).st_ino}]" not in has.values(), "its sibling could not end with us"
        assert [number for number, path in has.items() if "pipe:" in path] == [0, inherited]
        assert not [path for path in has.values() if "pidfd" in path]
    os.close(inherited)
    os.close(kept)


def test_a_worker_is_a_process_group_of_its_own_bound_to_its_processor(listener: Listener, server: ForkServer) -> None:
    cpu = min(os.sched_getaffinity(0))
    with joined(listener, server, cpu=cpu) as child:
        pid = child.forked.pid
        assert os.getpgid(pid) == os.getsid(pid) == pid
        assert os.sched_getaffinity(pid) == {cpu}
        assert os.sched_getaffinity(server.pid) == os.sched_getaffinity(0)


def test_a_processor_that_is_not_there_any_more_is_done_without(listener: Listener, server: ForkServer) -> None:
    with joined(listener, server, cpu=1000) as child:
        assert os.sched_getaffinity(child.forked.pid) == os.sched_getaffinity(0)


def test_exit_codes_and_last_words_come_back(server: ForkServer) -> None:
    before = descriptors()
    with Child(server, "nowhere") as child:
        assert child.forked.wait(PATIENCE) == 2
        assert "gradsum worker: " in child.said()
    with Child(server, "--no-such-option") as child:
        assert child.forked.wait(PATIENCE) == 2
        assert "required: ADDRESS" in child.said()
    assert descriptors() == before


@pytest.mark.parametrize(("ask", "code"), [("terminate", 0), ("kill", -signal.SIGKILL)])
def test_workers_end_when_they_are_told(listener: Listener, server: ForkServer, ask: str, code: int) -> None:
    with joined(listener, server) as child:
        getattr(child.forked, ask)()
        assert child.forked.wait(PATIENCE) == code
        child.forked.kill()  # which is too late


def test_a_worker_that_does_not_end_in_time(listener: Listener, server: ForkServer) -> None:
    with joined(listener, server) as child, pytest.raises(subprocess.TimeoutExpired):
        child.forked.wait(0.01)


def test_workers_outlive_the_server_and_their_end_is_noticed(listener: Listener, server: ForkServer) -> None:
    with joined(listener, server) as child:
        os.kill(server.pid, signal.SIGKILL)
        server.listen(PATIENCE)
        assert server.gone
        assert child.forked.poll() is None
        with pytest.raises(OSError, match="the process that forks workers has ended"):
            Child(server, "nowhere")
        child.forked.kill()
        assert child.forked.wait(PATIENCE) == UNKNOWN


def test_a_server_that_has_ended_is_told_of_no_folder(server: ForkServer, tmp_path: Path) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.listen(PATIENCE)
    server.leave(tmp_path)
    assert tmp_path.exists()


def test_a_worker_that_has_ended_and_is_not_reported_yet_can_be_told_to_end(server: ForkServer) -> None:
    with subprocess.Popen(["true"]) as ended:
        forked = Forked(server, 0.0)
        forked.started(ended.pid)
    forked.terminate()
    forked.kill()
    forked.ended(0)
    assert forked.wait() == 0


def test_a_worker_that_is_killed_before_it_is_forked(server: ForkServer) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    with Child(server, "nowhere") as child:
        assert child.forked.poll() is None
        child.forked.kill()
        assert child.forked.wait(PATIENCE) == UNKNOWN


def test_a_frozen_server_reports_no_end_and_nobody_waits_for_it(listener: Listener) -> None:
    clock = LeapingClock()
    server = ForkServer(clock=clock)
    try:
        with joined(listener, server) as one, joined(listener, server) as other:
            os.kill(server.pid, signal.SIGSTOP)
            for child in (one, other):
                child.forked.kill()
            assert wait_for_end([one.forked.pid, other.forked.pid]) == []
            assert one.forked.poll() is None
            clock.leap += REPORT
            assert one.forked.wait() == other.forked.wait(0) == UNKNOWN
            os.kill(server.pid, signal.SIGCONT)
            server.listen(PATIENCE)
            assert not server.silent
    finally:
        server.close()


def test_a_server_that_does_not_answer_is_given_up(server: ForkServer) -> None:
    server.clock = clock = LeapingClock()
    os.kill(server.pid, signal.SIGSTOP)
    with Child(server, "nowhere") as child:
        assert child.forked.poll() is None
        clock.leap += ANSWER
        assert child.forked.wait() == UNKNOWN
        assert server.gone


def test_time_that_passes_between_two_looks_at_the_clock_is_no_reason_to_wait_for_good(server: ForkServer) -> None:
    class Busy(LeapingClock):
        def now(self) -> float:
            self.leap += 0.02
            return super().now()

    server.clock = clock = Busy()
    os.kill(server.pid, signal.SIGSTOP)
    with Child(server, "nowhere") as child:
        clock.leap += ANSWER - 0.03 - (clock.now() - child.forked._asked)
        assert child.forked.wait() == UNKNOWN


def test_more_requests_than_fit_into_the_socket(server: ForkServer) -> None:
    """Answers come meanwhile, and a server that waits for them to be taken would never take the next request."""
    children = [Child(server, "--no-such-option") for _ in range(400)]
    for child in children:
        with child:
            assert child.forked.wait(PATIENCE) == 2


def test_a_server_with_a_thread_forks_nothing(listener: Listener) -> None:
    server = ForkServer(partial(executed, command=lambda *words: [sys.executable, "-c", THREADED, *words]))
    try:
        with Child(server, listener.address, "--tied") as child:
            assert child.forked.wait(PATIENCE) == UNKNOWN
            assert child.forked.pid == 0
    finally:
        server.close()


@pytest.mark.parametrize("known", [True, False])
def test_without_the_server_workers_are_processes_as_elsewhere(
    listener: Listener, server: ForkServer, known: bool
) -> None:
    os.kill(server.pid, signal.SIGKILL)
    assert wait_for_end([server.pid]) == []
    if known:
        server.listen(PATIENCE)
    with LocalWorkers(listener.address, 1, server=server) as workers:
        hear(listener)
        assert "--fork-server" not in Path(f"/proc/{workers.pids[0]}/cmdline").read_text()


def test_one_that_is_killed_is_replaced_by_another_fork(listener: Listener, server: ForkServer) -> None:
    with LocalWorkers(listener.address, 1, server=server) as workers:
        hear(listener)
        workers.look()
        first = workers.pids[0]
        os.kill(first, signal.SIGKILL)
        while workers.pids == [first]:
            workers.look()
        hear(listener)
        workers.look()
        assert workers.pids[0] not in (0, first)
        assert "--fork-server" in Path(f"/proc/{workers.pids[0]}/cmdline").read_text()


@pytest.mark.parametrize("words", [[], ["forked"]])
@pytest.mark.parametrize("frozen", ["nobody", "workers", "all"])
def test_all_end_with_a_parent_that_is_killed(frozen: str, words: list[str]) -> None:
    command = [sys.executable, "-c", PARENT, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        try:
            folder, *numbers = parent.stdout.readline().split()
            pids = [int(number) for number in numbers]
            for pid in {"nobody": [], "workers": pids[1:], "all": pids}[frozen]:
                os.kill(pid, signal.SIGSTOP)
            processes = [os.pidfd_open(pid) for pid in pids]
        finally:
            parent.kill()
    for process in processes:
        assert select.select([process], [], [], PATIENCE)[0], "it has not ended"
        os.close(process)
    assert not Path(folder).exists()


# Forks a server, or starts one if it has a thread besides, and says who it is; the rest is what a server must not have.
FORKED = """
import os, signal, socket, sys, tempfile, threading
from engine.launch.fork_server import fork_server
from engine.system.forks import own_process
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
    signal.signal(number, print)
others, pair = socket.socketpair(), open(sys.argv[1], "w")
if len(sys.argv) > 2:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
with own_process(), fork_server(True) as server:
    ours, theirs = os.pipe()
    with tempfile.TemporaryFile() as errors:  # when this has ended, the server has loaded everything, and waits
        server.fork(["--no-such-option"], (ours, errors.fileno()), [], None).wait(60)
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["killed", "leaves"])
def test_the_folder_of_a_parent_that_is_killed_is_removed(how: str) -> None:
    words = [sys.executable, "-c", LEAVING, how]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        server, folder = parent.stdout.readline().split()
        assert Path(folder).exists()
        parent.communicate()
    wait_until(lambda: not Path(f"/proc/{server}").exists())
    assert not Path(folder).exists()


def test_a_fork_has_nothing_of_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(tmp_path / "file")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        server = Path("/proc") / parent.stdout.readline().strip()
        has = {int(path.name): str(path.readlink()) for path in (server / "fd").iterdir()}
        assert has.pop(0) == has.pop(1) == os.devnull
        assert has.pop(2).endswith("(deleted)")
        assert [path.partition(":")[0] for path in has.values()] == ["socket"]
        assert (server / "comm").read_text() == "gradsum-forks\n"
        status = dict(line.split(":\t", 1) for line in (server / "status").read_text().splitlines() if ":\t" in line)
        assert int(status["SigCgt"], 16) == 1 << signal.SIGINT - 1
        assert os.getsid(int(server.name)) == int(server.name)
        assert (server / "cmdline").read_bytes() == Path(f"/proc/{parent.pid}/cmdline").read_bytes()
        parent.communicate(timeout=PATIENCE)
        assert parent.returncode == 0
    assert not server.exists()


def test_a_process_with_a_thread_is_not_forked(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(tmp_path / "file"), "thread"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        server = Path("/proc") / parent.stdout.readline().strip()
        assert "--fork-server" in (server / "cmdline").read_text()
        parent.communicate(timeout=PATIENCE)


# Says how a fork ends that is waited for too early, and then killed, twice.
ENDING = """
import socket, subprocess, tempfile
from engine.launch.server_process import forked
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
with tempfile.TemporaryFile() as errors:
    process = forked(theirs, errors)
    try:
        process.wait(0.01)
    except subprocess.TimeoutExpired:
        print("runs")
    process.kill()
    print(process.wait(), process.wait())
    process.kill()
"""


def test_a_fork_that_does_not_end_is_killed() -> None:
    said = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert said.split() == ["runs", "-9", "-9"]


# Asks a forked server for a worker with an unknown option, and reports its exit code and whether it said why.
HARDLY = """
import os, signal, sys, tempfile
from engine.launch.fork_server import fork_server
from engine.system.forks import own_process
def stop(number, frame):
    raise KeyboardInterrupt
def interrupt(parent=os.getpid(), numbers=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
    for number in numbers if os.getppid() == parent else ():
        os.kill(os.getpid(), number)
if sys.argv[1] == "children ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if sys.argv[1] == "no standard error":
    sys.stderr = None
if sys.argv[1] == "interrupted":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    os.register_at_fork(after_in_child=interrupt)
with own_process(), fork_server(True) as server, tempfile.TemporaryFile() as errors:
    standard = os.open(os.devnull, os.O_RDONLY), errors.fileno()
    code = server.fork(["unix:///nowhere", "--bad"], standard, [], None).wait()
    errors.seek(0)
    print(code, b"--bad" in errors.read(), server.gone, flush=True)
"""


@pytest.mark.parametrize("how", ["as usual", "children ignored", "no standard error", "interrupted"])
def test_a_fork_is_as_good_as_a_program_of_its_own(how: str) -> None:
    command = [sys.executable, "-c", HARDLY, how]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=PATIENCE)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "2 True False\n", "")


# Trains, and says so when this process is forked.
TRAINING = """
import os, sys
from engine.cli import main
os.register_at_fork(before=lambda: print("forked"))
sys.exit(main({}))
"""


@pytest.mark.parametrize(("arguments", "count"), [("", 1), ("sys.argv[1:]", 0)])
def test_a_program_that_runs_a_command_is_not_forked(arguments: str, count: int, tmp_path: Path) -> None:
    words = ["train", "--model", "mlp", "--steps", "1", "--workers", "1", "--quiet", "--db", "runs.sqlite"]
    command = [sys.executable, "-c", TRAINING.format(arguments), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert answer.stdout.count("forked") == count


# Says how a fork ends that is left alone, and what it said.
LEFT_ALONE = """
import socket, tempfile
from engine.launch.server_process import forked
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
with tempfile.TemporaryFile() as errors:
    process = forked(theirs, errors)
    theirs.close()
    ours.close()
    code = process.wait(60)
    errors.seek(0)
    print(code, errors.read())
"""


def test_a_fork_ends_as_the_server_and_never_goes_on_as_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", LEFT_ALONE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0 b''\n", "")
