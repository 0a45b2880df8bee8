"""Real worker processes: started, replaced, ended; nothing of them is left, whoever is killed."""

import gc
import os
import platform
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.clock import MonotonicClock
from engine.coordinator import Coordinator
from engine.data import Dataset, Normalisation, Split, cache
from engine.errors import WorkersError
from engine.evaluate import Serial
from engine.job import Job
from engine.judge import Judge
from engine.launch import local
from engine.launch.folder import PREFIX, meeting_folder
from engine.launch.local import LocalWorkers
from engine.layers import Dense, Dropout, Flatten
from engine.mailbox import Mailbox, mailbox_for
from engine.members import Members, Notice
from engine.model import Model
from engine.numerics import fingerprint
from engine.policy import Policy
from engine.rounds import Patience
from engine.threads import one_blas_thread
from engine.transport import Listener

pytestmark = pytest.mark.timeout(60)
ROOT = Path(__file__).parent.parent
MODEL = Model((Flatten(), Dropout(0.5), Dense(3)), shape=(4, 4, 1))
LOST = "its connection was lost"
PATIENCE = 30.0  # seconds for the end of a process that has nothing to wait for

# Starts two workers in a meeting folder, freezes them if asked to, says who they are, and waits to be killed.
PARENT = """
import os, signal, sys
from engine.launch.folder import meeting_folder
from engine.launch.local import LocalWorkers
from engine.transport import Listener
with meeting_folder() as folder:
    address = f"ipc://{folder / 'coordinator'}"
    with Listener(address, 1000) as listener, LocalWorkers(address, 2) as workers:
        hellos = 0
        while hellos < 2:
            hellos += len(listener.poll(1.0))
        for pid in workers.pids if sys.argv[1] == "frozen" else []:
            os.kill(pid, signal.SIGSTOP)
            os.waitpid(pid, os.WUNTRACED)
        print(folder, *workers.pids, flush=True)
        signal.pause()
"""


def descriptors() -> int:
    gc.collect()  # what other tests have left
    return len(list(Path("/proc/self/fd").iterdir()))


def exists(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


class Cluster:
    """A coordinator with local workers, and the serial evaluation that it must equal."""

    def __init__(
        self, listener: Listener, workers: LocalWorkers, numerics: str, mailbox: Mailbox | None, policy: Policy
    ) -> None:
        rng = np.random.default_rng(3)
        train, test = (
            Split(rng.integers(0, 256, (n, 4, 4, 1), np.uint8), rng.integers(0, 3, n, np.int32)) for n in (60, 23)
        )
        data = Dataset("random", ("a", "b", "c"), train, test)
        normalisation = Normalisation.of(train.images)
        job = Job(MODEL, cache.store(data), normalisation, batch_size=22, microbatch=4, seed=1, augment=False)
        self.notices: list[Notice] = []
        self.workers = workers
        members = Members(job, "s", numerics, self.notices.append, mailbox)
        clock, judge = MonotonicClock(), Judge(job, data)
        self.coordinator = Coordinator(job, (60, 23), listener, workers, clock, members, lambda: False, judge, policy)
        self.serial = Serial(job, data)

    def check(self, step: int) -> None:
        """Compare a step, and the validation after it, with the serial path, to the bit."""
        before, after = (np.random.default_rng(n).random(MODEL.layout().size, np.float32) for n in (step, step + 1))
        out, expected = np.zeros_like(before), np.zeros_like(before)
        sums, reference = self.coordinator.gradient(step, before, out), self.serial.gradient(step, before, expected)
        assert (sums.loss, sums.correct, out.tobytes()) == (reference.loss, reference.correct, expected.tobytes())
        assert self.coordinator.validate(step, after) == self.serial.validate(step, after)

    def left(self) -> list[str]:
        return [notice.text for notice in self.notices if notice.kind == "left"]


@contextmanager
def cluster(count: int, numerics: str | None = None, policy: Policy | None = None) -> Iterator[Cluster]:
    """Start workers as a training run does."""
    with meeting_folder() as folder, one_blas_thread(), mailbox_for(count, wanted=True) as mailbox:
        assert mailbox is not None
        mailbox.open(MODEL.layout().size)
        address = f"ipc://{folder / 'coordinator'}"
        with LocalWorkers(address, count, mailbox) as workers, Listener(address, 4 * MODEL.layout().size) as listener:
            yield Cluster(listener, workers, numerics or fingerprint(), mailbox, policy or Policy())
    assert not folder.exists()


def test_workers_that_end_are_replaced_and_the_sums_stay_the_same() -> None:
    before = descriptors()
    with cluster(2) as box:
        box.coordinator.gather(2)
        started = box.workers.pids
        box.check(1)
        os.kill(started[0], signal.SIGTERM)
        box.check(2)
        while started[0] in box.workers.pids:
            box.check(3)
        assert box.left() in (["it got SIGTERM"], [LOST]), "whichever the coordinator comes to know first"
        box.coordinator.gather(2)
        assert box.workers.pids[0] == started[1]
        started += box.workers.pids[1:]
        box.check(4)
        for pid in started[1:]:
            os.kill(pid, signal.SIGKILL)
        box.check(5)
        assert box.left()[1:] == [LOST] * 2
        started += box.workers.pids
        box.coordinator.close()
    del box  # and with it the shared memory
    assert len(set(started)) == 5
    assert not any(map(exists, started))
    assert descriptors() == before


IMPATIENT = Patience(first_lease=0.6, least_lease=0.6, first_late=0.2, least_late=0.2)


@pytest.mark.parametrize("count", [1, 2])
def test_a_hung_worker_is_killed_and_replaced(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is frozen, so that it is still there, and connected, and ends by nothing but SIGKILL."""
    monkeypatch.setattr(local, "HUNG", 0.3)
    with cluster(count, policy=Policy(patience=IMPATIENT)) as box:
        box.coordinator.gather(count)
        box.check(1)
        hung = box.workers.pids[0]
        os.kill(hung, signal.SIGSTOP)
        os.waitpid(hung, os.WUNTRACED)
        for step in range(2, 1000):
            box.check(step)
            if hung not in box.workers.pids and LOST in box.left():
                break
        kinds = [notice.kind for notice in box.notices]
        assert kinds.index("lapsed") < kinds.index("killed") < kinds.index("left")
        box.coordinator.gather(count)
        assert hung not in box.workers.pids
        box.check(1000)
        assert not exists(hung)


def test_an_audit_of_real_workers() -> None:
    with cluster(2, policy=Policy(audit=0.5)) as box:
        box.coordinator.gather(2)
        for step in range(1, 6):
            box.check(step)
        assert {notice.kind for notice in box.notices} == {"joined"}


def test_the_coordinator_computes_the_same_bits_as_its_only_worker() -> None:
    with cluster(1, policy=Policy(audit=1.0)) as box:
        box.coordinator.gather(1)
        box.check(1)
        assert {notice.kind for notice in box.notices} == {"joined"}


def test_suspicion_is_about_processes_of_this_machine_and_can_be_dispelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "worker_command", lambda *_: ["sleep", "1000"])
    monkeypatch.setattr(local, "HUNG", 0.0)
    here = platform.node()[:64]
    with LocalWorkers("nowhere", 2) as workers:
        first, second = workers.pids
        workers.suspect("another machine", first)
        workers.suspect(here, os.getpid())
        workers.suspect(here, first)
        workers.trust(here, first)
        workers.suspect(here, first)
        workers.useful(first)
        assert workers.look() == []
        assert workers.pids == [first, second]
        workers.suspect(here, second)
        assert workers.look() == [second]
        assert workers.pids[0] == first
        assert len(workers.pids) == 2
    assert not exists(second)


def test_a_frozen_worker_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "GRACE", 0.1)
    before = descriptors()
    with cluster(1) as box:
        box.coordinator.gather(1)
        (pid,) = box.workers.pids
        os.kill(pid, signal.SIGSTOP)
    del box  # and with it the shared memory
    assert not exists(pid)
    assert descriptors() == before


def test_workers_with_other_numbers_end_the_run_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "HOPELESS", 0)
    refused = r"exit code 1 and said: .*refused: its numbers depend on.*here: other"
    with pytest.raises(WorkersError, match=refused), cluster(1, "other") as box:
        box.coordinator.gather(1)


def wave(workers: LocalWorkers) -> list[int]:
    """Wait until all workers have ended, and return which they were."""
    pids = workers.pids
    for pid in pids:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pids


def test_workers_that_cannot_work_end_the_run_with_what_they_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "HOPELESS", 0)
    monkeypatch.setenv("GRADSUM_BACKEND", "nonsense")
    said = r"ended with exit code 2 and said: gradsum worker: no kernel backend 'nonsense'"
    with LocalWorkers("ipc:///nowhere", 1) as workers:
        wave(workers)
        with pytest.raises(WorkersError, match=said):
            workers.look()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo sorry >&2; exit 3", r"ended with exit code 3 and said: sorry$"),
        ("kill -9 $$", r"ended with signal 9 \(Killed\) and said: nothing$"),
        ("seq 1000000 >&2", r"exit code 0 and said: \d*\n(\d{6}\n){200,300}1000000$"),
    ],
)
def test_workers_are_replaced_once_and_then_given_up(
    script: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "worker_command", lambda *_: ["sh", "-c", script])
    before = descriptors()
    with LocalWorkers("nowhere", 3) as workers:
        first = wave(workers)
        workers.look()
        second = wave(workers)
        assert not set(first) & set(second)
        with pytest.raises(WorkersError, match=message):
            workers.look()
    assert not any(map(exists, first + second))
    assert descriptors() == before


def test_an_answer_in_between_gives_hope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "worker_command", lambda *_: ["true"])
    with LocalWorkers("nowhere", 3) as workers:
        for _ in range(5):
            workers.useful(wave(workers)[0])
            workers.look()


def test_a_worker_that_is_still_starting_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "worker_command", lambda *_: ["sleep", "1000"])
    with LocalWorkers("nowhere", 1) as workers:
        popen = workers._processes[0].popen
    assert popen.returncode == -signal.SIGTERM


def test_a_worker_that_is_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = descriptors()
    with pytest.raises(WorkersError, match=r"worker 1 of 2 cannot be started: .*No such file"):
        LocalWorkers("ipc:///nowhere", 2)
    assert descriptors() == before


@pytest.mark.parametrize("state", ["running", "frozen"])
def test_workers_end_with_a_parent_that_is_killed(state: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        try:
            folder, *pids = parent.stdout.readline().split()
            waits = [os.pidfd_open(int(pid)) for pid in pids]
        finally:
            parent.kill()
    assert len(pids) == 2
    for wait in waits:
        assert select.select([wait], [], [], PATIENCE)[0], "a worker outlived its parent"
        os.close(wait)
    assert not Path(folder).exists()


def test_the_meeting_folder_is_private_and_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen(["true"]) as done:
        pass
    dead, odd, own = (tmp_path / f"{PREFIX}{name}-x" for name in (done.pid, "soup", os.getpid()))
    (tmp_path / f"{PREFIX}{10**30}-x").mkdir()
    for folder in (dead, odd, own):
        folder.mkdir()
        (folder / "file").touch()
    with pytest.raises(KeyError), meeting_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "coordinator").touch()
        assert not dead.exists()
        raise KeyError
    assert not folder.exists()
    assert odd.exists()
    assert own.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "the following arguments are required: address"),
        (["nonsense"], 1, "'nonsense' is no address to connect to"),
        (["ipc:///no/such/place", "--patience", "0.1"], 1, "nothing came from ipc:///no/such/place for 0.1 seconds"),
        (["ipc:///no/such/place", "--tied"], 1, "its parent ended"),
    ],
)
def test_a_worker_that_nobody_wants(arguments: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "workers", *arguments]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
