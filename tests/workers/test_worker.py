"""The worker's shell with a coordinator that is a list of messages, in this process."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.compute.fingerprint import fingerprint
from engine.compute.job import Job
from engine.coordinator.serial import Serial
from engine.data import Dataset, Normalisation, Split, cache
from engine.data.download import Download
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire.keys import Keys
from tests.support.fakes import MODEL, FakeClock
from workers import parent, worker
from workers.session import Quit
from workers.worker import Worker

LAYOUT = MODEL.layout()
PARAMETERS = np.linspace(-1, 1, LAYOUT.size, dtype=np.float32)
WORK = m.Work("s", round=1, attempt=9, kind=m.WorkKind.TRAIN, step=1, start=0, stop=2, total=3, version=0)


class FakeDialer:
    """Gives the worker one message after the other; each may be a function that is called instead."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.script: list[list[m.Frame] | Callable[[], object]] = []
        self.said: list[m.Message] = []
        self.payloads: list[m.Frame | None] = []
        self.closed = False
        self.unwelcome = ""
        self.new = True  # a connection

    def __call__(self, address: str, largest: int, keys: Keys | None) -> "FakeDialer":
        return self

    def watch(self, descriptor: int) -> None:
        self.watched = descriptor

    def send(self, frames: Sequence[m.Frame]) -> None:
        message, payload = m.decode(frames)
        self.said.append(message)
        self.payloads.append(payload)

    def poll(self, timeout: float) -> Sequence[m.Frame] | None:
        if not self.script:
            self.clock.time += timeout
            return None
        head = self.script.pop(0)
        if not callable(head):
            return head
        head()
        return None

    def connected(self) -> bool:
        connected, self.new = self.new, False
        return connected

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def dialer(monkeypatch: pytest.MonkeyPatch) -> FakeDialer:
    clock = FakeClock()
    dialer = FakeDialer(clock)
    monkeypatch.setattr(worker, "Dialer", dialer)
    fake: Any = SimpleNamespace(monotonic=clock.now, perf_counter=clock.now, process_time=lambda: 3.0)
    monkeypatch.setattr(worker, "time", fake)
    return dialer


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 2, 2, 1), np.uint8), rng.integers(0, 2, 20, np.int32)
    return Dataset("random", ("a", "b"), Split(images[:12], labels[:12]), Split(images[12:], labels[12:]))


@pytest.fixture
def job(dataset: Dataset) -> Job:
    normalisation = Normalisation.of(dataset.train.images)
    return Job(MODEL, cache.store(dataset), normalisation, batch_size=12, microbatch=4, seed=1, augment=False)


def welcome(job: Job) -> list[m.Frame]:
    return m.encode(m.Welcome("s", "me"), m.pack(job.describe()))


STOP = m.encode(m.Stop("s", "the run is over"))


def enough() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


ENOUGH = Quit("it got SIGTERM", 0)


def test_a_whole_stay(dialer: FakeDialer, job: Job, dataset: Dataset) -> None:
    more = replace(WORK, attempt=10, start=2, stop=3)
    validate = replace(WORK, round=2, attempt=11, kind=m.WorkKind.VALIDATE, total=2, stop=2)
    first = [welcome(job), m.encode(WORK, PARAMETERS.tobytes()), m.encode(m.Ping("s"))]
    dialer.script = [*first, m.encode(more), m.encode(validate), STOP, enough]
    assert Worker("x", tied=False, patience=60).run() == ENOUGH
    hello, ready, *results, again = dialer.said
    assert again == hello, "it would work for the next run as well"
    assert isinstance(hello, m.Hello)
    assert (hello.pid, hello.numerics) == (os.getpid(), fingerprint())
    assert ready == m.Ready("s", LAYOUT.digest)
    a, b, c = (r for r in results if isinstance(r, m.Result))
    whose = [(r.round, r.attempt, r.start, r.stop, r.cpu) for r in (a, b, c)]
    assert whose == [(1, 9, 0, 2, 3.0), (1, 10, 2, 3, 3.0), (2, 11, 0, 2, 3.0)]
    serial, expected = Serial(job, dataset), LAYOUT.zeros()
    sums, seen = serial.start(1, PARAMETERS, expected).result(), serial.validate(1, PARAMETERS)
    left, right = (np.frombuffer(payload, np.float32) for payload in dialer.payloads[2:4] if payload is not None)
    assert (a.loss + b.loss, a.correct + b.correct) == (sums.loss, sums.correct)
    assert (left + right).tobytes() == expected.tobytes()
    assert (c.loss, c.correct, dialer.payloads[4]) == (seen.loss, seen.correct, None)
    assert dialer.closed


def test_it_leaves_when_the_coordinator_is_silent(dialer: FakeDialer) -> None:
    before = dialer.clock.time
    assert Worker("ipc://x", tied=False, patience=60).run() == Quit("nothing came from ipc://x for 60 seconds", 1)
    assert 60 < dialer.clock.time - before < 61


def test_time_that_it_works_is_no_silence(dialer: FakeDialer, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Worker._compute

    def slowly(self: Worker, *rest: Any) -> None:
        compute(self, *rest)
        dialer.clock.time += 1000

    monkeypatch.setattr(Worker, "_compute", slowly)
    dialer.script = [welcome(job), m.encode(WORK, PARAMETERS.tobytes()), lambda: None, enough]
    assert Worker("x", tied=False, patience=60).run() == ENOUGH


def test_sigterm_lets_it_finish_its_share(dialer: FakeDialer, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Worker._compute

    def killed(self: Worker, *rest: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        compute(self, *rest)

    monkeypatch.setattr(Worker, "_compute", killed)
    dialer.script = [welcome(job), m.encode(WORK, PARAMETERS.tobytes()), m.encode(WORK, PARAMETERS.tobytes())]
    assert Worker("x", tied=False, patience=60).run() == Quit("it got SIGTERM", 0)
    assert [type(x) for x in dialer.said[2:]] == [m.Result, m.Goodbye]


def test_one_that_is_unwelcome_does_not_wait(dialer: FakeDialer) -> None:
    dialer.script = [lambda: setattr(dialer, "unwelcome", "does not list this key")]
    ended = Worker("tcp://box:1", tied=False, patience=60).run()
    assert ended == Quit("the coordinator at tcp://box:1 does not list this key", 1)


def test_ctrl_c_before_the_welcome(dialer: FakeDialer) -> None:
    dialer.script = [lambda: None, lambda: os.kill(os.getpid(), signal.SIGINT)]
    assert Worker("x", tied=False, patience=60).run() == Quit("it got SIGINT", 0)
    assert [type(x) for x in dialer.said] == [m.Hello]


@pytest.mark.parametrize("error", [ValueError, RuntimeError, AttributeError, MemoryError, AssertionError])
def test_whatever_goes_wrong_is_reported(
    dialer: FakeDialer, job: Job, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error("bad luck \N{SNOWMAN}")

    monkeypatch.setattr("engine.compute.evaluator.Evaluator.train_block", fail)
    dialer.script = [welcome(job), m.encode(WORK, PARAMETERS.tobytes())]
    ended = Worker("x", tied=False, patience=60).run()
    assert (ended.code, ended.reason) == (1, f"{error.__name__}: bad luck \N{SNOWMAN}")
    failed = dialer.said[-1]
    assert isinstance(failed, m.Failed)
    assert failed.session == "s"
    assert failed.error.endswith(
        f'in fail\n    raise error("bad luck \\N{{SNOWMAN}}")\n{error.__name__}: bad luck \\u2603\n'
    )


def test_data_that_is_not_there_is_fetched_and_kept(
    dialer: FakeDialer, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(cache.content(job.data))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    half = len(content) // 2
    pieces = [(0, content[:half]), (half, content[half:])]
    dialer.script = [welcome(job), *(m.encode(m.Chunk("s", at, len(content)), piece) for at, piece in pieces), enough]
    assert Worker("x", tied=False, patience=60).run() == ENOUGH
    assert dialer.said[1:4] == [m.Fetch("s", 0), m.Fetch("s", half), m.Ready("s", LAYOUT.digest)]
    assert [path.name for path in tmp_path.iterdir()] == [f"{job.data}.safetensors"]
    assert cache.path_of(job.data).read_bytes() == content


def test_damaged_data_is_fetched_anew(
    dialer: FakeDialer, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers with the same damaged file would agree on wrong sums."""
    content = bytes(cache.content(job.data))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    cache.path_of(job.data).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    dialer.script = [welcome(job), m.encode(m.Chunk("s", 0, len(content)), content), enough]
    assert Worker("x", tied=False, patience=60).run() == ENOUGH
    assert dialer.said[1:3] == [m.Fetch("s", 0), m.Ready("s", LAYOUT.digest)]
    assert cache.path_of(job.data).read_bytes() == content


def test_it_waits_while_another_process_fetches_the_data(
    dialer: FakeDialer, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(cache.content(job.data))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    with Download(job.data) as other:
        dialer.script = [
            welcome(job),
            lambda: None,
            lambda: None,
            lambda: bool(other.put(content, len(content))),
            lambda: None,
            enough,
        ]
        assert Worker("x", tied=False, patience=60).run() == ENOUGH
    assert [type(x) for x in dialer.said] == [m.Hello, m.Ready, m.Goodbye]


def test_data_with_another_digest_is_not_kept(
    dialer: FakeDialer, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    dialer.script = [welcome(job), m.encode(m.Chunk("s", 0, 4), b"lies")]
    ended = Worker("x", tied=False, patience=60).run()
    assert (ended.code, "has the digest" in ended.reason) == (1, True)
    assert isinstance(dialer.said[-1], m.Failed)
    assert list(tmp_path.iterdir()) == []


def test_a_new_connection_is_a_new_beginning(dialer: FakeDialer, job: Job) -> None:
    def reconnect() -> None:
        dialer.new = True

    other = m.encode(m.Welcome("t", "me"), m.pack(job.describe()))
    dialer.script = [welcome(job), reconnect, m.encode(WORK, PARAMETERS.tobytes()), other, enough]
    assert Worker("x", tied=False, patience=60).run() == ENOUGH
    said = [m.Hello, m.Ready, m.Hello, m.Ready, m.Goodbye]
    assert [type(x) for x in dialer.said] == said, "the share of the last session is not computed"
    assert dialer.said[3] == m.Ready("t", LAYOUT.digest)


def test_processor_seconds_are_those_of_each_stay(
    dialer: FakeDialer, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter(range(3, 100, 3))
    monkeypatch.setattr("workers.worker.time.process_time", lambda: float(next(used)))
    other = m.encode(m.Welcome("t", "me"), m.pack(job.describe()))
    work = m.encode(WORK, PARAMETERS.tobytes())
    again = m.encode(replace(WORK, session="t"), PARAMETERS.tobytes())
    dialer.script = [welcome(job), work, STOP, other, again, enough]
    assert Worker("x", tied=False, patience=60).run() == ENOUGH
    assert [x.cpu for x in dialer.said if isinstance(x, m.Result)] == [3.0, 3.0]


@pytest.mark.parametrize("frames", [[b"\xc1"], m.encode(m.Hello("box", 1, "n")), m.encode(m.Ready("s", "x"))])
def test_a_message_that_breaks_the_protocol_ends_it(dialer: FakeDialer, frames: list[m.Frame]) -> None:
    dialer.script = [frames]
    with pytest.raises(ProtocolError):
        Worker("x", tied=False, patience=60).run()
    assert dialer.closed


def test_it_ends_with_its_parent(dialer: FakeDialer, monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(parent, "hold", lambda: None)
    monkeypatch.setattr(parent, "broken", lambda: not dialer.script)
    monkeypatch.setattr(parent, "clear", cleared.append)
    dialer.script = [lambda: None] * 3
    assert Worker("ipc:///a/b", tied=True, patience=60, clear=True).run() == Quit("its parent ended", 1)
    assert cleared == ["ipc:///a/b"]
    assert dialer.watched == parent.STDIN
