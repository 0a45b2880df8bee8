"""The worker's shell with a coordinator that is a list of messages, in this process."""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engine.compute import tree
from engine.compute.evaluator import Evaluator
from engine.compute.fingerprint import fingerprint, libraries
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.coordinator.serial import Serial
from engine.data import Dataset, Normalisation, Split, cache
from engine.data.download import Download
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from tests.support.fakes import MODEL, FakeClock
from workers.attempts import TEXT
from workers.parent import Parent
from workers.session import Quit
from workers.worker import Worker

LAYOUT = MODEL.layout()
NONCE = 12345
PARAMETERS = np.linspace(-1, 1, LAYOUT.size, dtype=np.float32)
WORK = m.Work("s", round=1, attempt=9, kind=m.WorkKind.TRAIN, step=1, start=0, stop=2, total=3, version=0)


class FakeEndpoint:
    """Gives the worker one message after the other; each may be a function that is called instead."""

    def __init__(self) -> None:
        self.address = "ipc://x"
        self.clock = FakeClock()
        self.script: list[list[m.Frame] | Callable[[], object]] = []
        self.said: list[m.Message] = []
        self.payloads: list[m.Frame | None] = []
        self.closed = False
        self.unwelcome = ""
        self.new = True  # a connection
        self.arriving_until = 0.0  # a long message, which never ends
        self.watched: list[int] = []

    def watch(self, descriptor: int) -> None:
        self.watched.append(descriptor)

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

    def arriving(self) -> bool:
        return self.clock.time < self.arriving_until

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def endpoint() -> FakeEndpoint:
    return FakeEndpoint()


def work(endpoint: FakeEndpoint, parent: Parent | None = None, cpu: Callable[[], float] = lambda: 3.0) -> Quit:
    """Let a worker work for what `endpoint` says, and return how it ended."""
    return Worker(endpoint, patience=60, parent=parent, clock=endpoint.clock, cpu=cpu).run()


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
    return m.encode(m.Welcome("s", "me", NONCE), m.pack(job.describe()))


def ready(job: Job, dataset: Dataset, session: str = "s", nonce: int = NONCE) -> m.Ready:
    return m.Ready(session, LAYOUT.digest, Evaluator(job, dataset).prove(nonce))


STOP = m.encode(m.Stop("s", "the run is over"))


def enough() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


ENOUGH = Quit("it got SIGTERM", 0)


def test_a_worker_that_is_refused_ends(endpoint: FakeEndpoint) -> None:
    endpoint.script = [m.encode(m.Refuse("not you")), enough]
    assert work(endpoint) == Quit("the coordinator refused this worker: not you", 1)
    assert endpoint.closed


def test_a_whole_stay(endpoint: FakeEndpoint, job: Job, dataset: Dataset) -> None:
    more = replace(WORK, attempt=10, start=2, stop=3)
    validate = replace(WORK, round=2, attempt=11, kind=m.WorkKind.VALIDATE, total=2, stop=2)
    first = [welcome(job), m.encode(WORK, PARAMETERS.tobytes()), m.encode(m.Ping("s"))]
    endpoint.script = [*first, m.encode(more), m.encode(validate), STOP, enough]
    assert work(endpoint) == ENOUGH
    hello, proved, *results, again = endpoint.said
    assert again == hello, "it would work for the next run as well"
    assert isinstance(hello, m.Hello)
    assert (hello.pid, hello.numerics, hello.libraries) == (os.getpid(), fingerprint(), libraries())
    assert proved == ready(job, dataset)
    a, b, c = (r for r in results if isinstance(r, m.Result))
    whose = [(r.round, r.attempt, r.start, r.stop, r.cpu) for r in (a, b, c)]
    assert whose == [(1, 9, 0, 2, 3.0), (1, 10, 2, 3, 3.0), (2, 11, 0, 2, 3.0)]
    serial, expected = Serial(job, dataset), LAYOUT.zeros()
    sums, seen = serial.start(1, PARAMETERS, expected).result(), serial.validate(1, PARAMETERS)
    left, right = (np.frombuffer(payload, np.float32) for payload in endpoint.payloads[3:5] if payload is not None)
    assert (a.loss + b.loss, a.correct + b.correct) == (sums.loss, sums.correct)
    assert (left + right).tobytes() == expected.tobytes()
    assert seen.tally is not None
    tally = seen.tally.counts.astype("<u4").tobytes()
    assert (c.loss, c.correct, endpoint.payloads[5]) == (seen.loss, seen.correct, tally)
    assert endpoint.closed


def test_it_leaves_when_the_coordinator_is_silent(endpoint: FakeEndpoint) -> None:
    before = endpoint.clock.time
    assert work(endpoint) == Quit("nothing came from ipc://x for 60 seconds", 1)
    assert 60 < endpoint.clock.time - before < 61


def test_it_says_that_it_is_ready_and_that_it_waits(endpoint: FakeEndpoint, job: Job) -> None:
    said: list[str] = []
    endpoint.script = [welcome(job), STOP, enough]
    assert Worker(endpoint, patience=60, clock=endpoint.clock, tell=said.append).run() == ENOUGH
    assert said == ["ready for ipc://x as me", "the run is over; waiting for the next one"]
    once = FakeEndpoint()
    once.script = [welcome(job), STOP]
    assert Worker(once, patience=60, clock=once.clock, once=True, tell=said.append).run() == Quit("the run is over", 0)
    assert said[2:] == ["ready for ipc://x as me"]


def test_one_that_joined_once_does_not_wait_for_a_coordinator_that_is_gone(endpoint: FakeEndpoint, job: Job) -> None:
    endpoint.script = [welcome(job)]
    before = endpoint.clock.time
    worker = Worker(endpoint, patience=60, clock=endpoint.clock, once=True)
    assert worker.run() == Quit("the run is over, or its coordinator gone", 0)
    assert 30 < endpoint.clock.time - before < 31


def test_a_coordinator_whose_long_message_is_on_its_way_is_there(endpoint: FakeEndpoint, job: Job) -> None:
    endpoint.script = [welcome(job)]
    before = endpoint.clock.time
    endpoint.arriving_until = before + 300
    Worker(endpoint, patience=60, clock=endpoint.clock, once=True).run()
    assert 329 < endpoint.clock.time - before < 331
    endpoint.script, endpoint.new, endpoint.arriving_until = [], True, endpoint.clock.time + 300
    before = endpoint.clock.time
    work(endpoint)
    assert 359 < endpoint.clock.time - before < 361


def test_it_is_said_when_one_connection_after_the_other_is_lost(endpoint: FakeEndpoint, job: Job) -> None:
    said: list[str] = []

    def connect_again() -> None:
        endpoint.clock.time += 12
        endpoint.new = True

    endpoint.script = [welcome(job), *[connect_again] * 5]
    Worker(endpoint, patience=60, clock=endpoint.clock, tell=said.append).run()
    assert said[1:] == [TEXT]


def test_one_that_cannot_say_that_it_is_ready_leaves(endpoint: FakeEndpoint, job: Job) -> None:
    def send(frames: Sequence[m.Frame]) -> None:
        message, _ = m.decode(frames)
        endpoint.said.append(message)
        if isinstance(message, m.Ready):
            raise OSError("no room")

    endpoint.send = send  # type: ignore[method-assign]
    endpoint.script = [welcome(job)]
    assert work(endpoint) == Quit("OSError: no room", 1)
    assert isinstance(endpoint.said[-1], m.Failed)


def before_each_block(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Let something happen, from now on, before each block of training is computed."""
    compute = Evaluator.train_block

    def train_block(self: Evaluator, step: int, block: tree.Block, out: Vector) -> Sums:
        happens()
        return compute(self, step, block, out)

    monkeypatch.setattr(Evaluator, "train_block", train_block)


def test_time_that_it_works_is_no_silence(endpoint: FakeEndpoint, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly() -> None:
        endpoint.clock.time += 1000

    now = partial(before_each_block, monkeypatch, slowly)
    endpoint.script = [welcome(job), now, m.encode(WORK, PARAMETERS.tobytes()), lambda: None, enough]
    assert work(endpoint) == ENOUGH
    [result] = [message for message in endpoint.said if isinstance(message, m.Result)]
    assert result.seconds == 1000


def test_sigterm_lets_it_finish_its_share(endpoint: FakeEndpoint, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    now = partial(before_each_block, monkeypatch, enough)
    endpoint.script = [welcome(job), now, m.encode(WORK, PARAMETERS.tobytes()), m.encode(WORK, PARAMETERS.tobytes())]
    assert work(endpoint) == ENOUGH
    assert [type(x) for x in endpoint.said[2:]] == [m.Arrived, m.Result, m.Goodbye]


def test_one_that_is_unwelcome_does_not_wait(endpoint: FakeEndpoint) -> None:
    endpoint.script = [lambda: setattr(endpoint, "unwelcome", "does not list this key")]
    assert work(endpoint) == Quit("the coordinator at ipc://x does not list this key", 1)


def test_ctrl_c_before_the_welcome(endpoint: FakeEndpoint) -> None:
    endpoint.script = [lambda: None, lambda: os.kill(os.getpid(), signal.SIGINT)]
    assert work(endpoint) == Quit("it got SIGINT", 0)
    assert [type(x) for x in endpoint.said] == [m.Hello]


@pytest.mark.parametrize("error", [ValueError, RuntimeError, AttributeError, MemoryError, AssertionError])
def test_whatever_goes_wrong_is_reported(
    endpoint: FakeEndpoint, job: Job, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error("bad luck \N{SNOWMAN}")

    monkeypatch.setattr("engine.compute.evaluator.Evaluator.train_block", fail)
    endpoint.script = [welcome(job), m.encode(WORK, PARAMETERS.tobytes())]
    ended = work(endpoint)
    assert (ended.code, ended.reason) == (1, f"{error.__name__}: bad luck \N{SNOWMAN}")
    assert endpoint.said[-1] == m.Failed("s", rf"{error.__name__}: bad luck \u2603")
    told = bytes(endpoint.payloads[-1] or b"").decode()
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.count("\n  File ") > 3, "all of it"
    assert told.endswith(
        f'in fail\n    raise error("bad luck \\N{{SNOWMAN}}")\n{error.__name__}: bad luck \N{SNOWMAN}\n'
    )


def test_data_that_is_not_there_is_fetched_and_kept(
    endpoint: FakeEndpoint, job: Job, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(cache.content(job.data))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    half = len(content) // 2
    pieces = [(0, content[:half]), (half, content[half:])]
    endpoint.script = [welcome(job), *(m.encode(m.Chunk("s", at, len(content)), piece) for at, piece in pieces), enough]
    assert work(endpoint) == ENOUGH
    assert endpoint.said[1:4] == [m.Fetch("s", 0), m.Fetch("s", half), ready(job, dataset)]
    assert [path.name for path in tmp_path.iterdir()] == [f"{job.data}.safetensors"]
    assert cache.path_of(job.data).read_bytes() == content


def test_damaged_data_is_fetched_anew(
    endpoint: FakeEndpoint, job: Job, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers with the same damaged file would agree on wrong sums."""
    content = bytes(cache.content(job.data))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    cache.path_of(job.data).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    endpoint.script = [welcome(job), m.encode(m.Chunk("s", 0, len(content)), content), enough]
    assert work(endpoint) == ENOUGH
    assert endpoint.said[1:3] == [m.Fetch("s", 0), ready(job, dataset)]
    assert cache.path_of(job.data).read_bytes() == content


def test_it_waits_while_another_process_fetches_the_data(
    endpoint: FakeEndpoint, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(cache.content(job.data))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    with Download(job.data) as other:
        endpoint.script = [
            welcome(job),
            lambda: None,
            lambda: None,
            lambda: bool(other.put(content, len(content))),
            lambda: None,
            enough,
        ]
        assert work(endpoint) == ENOUGH
    assert [type(x) for x in endpoint.said] == [m.Hello, m.Ready, m.Goodbye]


def test_data_with_another_digest_is_not_kept(
    endpoint: FakeEndpoint, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    endpoint.script = [welcome(job), m.encode(m.Chunk("s", 0, 4), b"lies")]
    ended = work(endpoint)
    assert (ended.code, "has the digest" in ended.reason) == (1, True)
    assert isinstance(endpoint.said[-1], m.Failed)
    assert list(tmp_path.iterdir()) == []


def test_a_new_connection_is_a_new_beginning(endpoint: FakeEndpoint, job: Job, dataset: Dataset) -> None:
    def reconnect() -> None:
        endpoint.new = True

    other = m.encode(m.Welcome("t", "me"), m.pack(job.describe()))
    endpoint.script = [welcome(job), reconnect, m.encode(WORK, PARAMETERS.tobytes()), other, enough]
    assert work(endpoint) == ENOUGH
    said = [m.Hello, m.Ready, m.Hello, m.Ready, m.Goodbye]
    assert [type(x) for x in endpoint.said] == said, "the share of the last session is not computed"
    assert endpoint.said[3] == ready(job, dataset, "t", 0)


def test_processor_seconds_are_those_of_each_session(endpoint: FakeEndpoint, job: Job) -> None:
    used = iter(range(3, 100, 3))
    other = m.encode(m.Welcome("t", "me"), m.pack(job.describe()))
    share = m.encode(WORK, PARAMETERS.tobytes())
    again = m.encode(replace(WORK, session="t"), PARAMETERS.tobytes())
    endpoint.script = [welcome(job), share, STOP, other, again, enough]
    assert work(endpoint, cpu=lambda: float(next(used))) == ENOUGH
    assert [x.cpu for x in endpoint.said if isinstance(x, m.Result)] == [3.0, 3.0]


@pytest.mark.parametrize("frames", [[b"\xc1"], m.encode(m.Hello("box", 1, "n")), m.encode(m.Ready("s", "x"))])
def test_a_message_that_breaks_the_protocol_ends_it(endpoint: FakeEndpoint, frames: list[m.Frame]) -> None:
    endpoint.script = [frames]
    with pytest.raises(ProtocolError):
        work(endpoint)
    assert endpoint.closed


@pytest.fixture
def pipe() -> Iterator[tuple[int, Callable[[], None]]]:
    """What a worker has in place of standard input, and how its parent ends."""
    reading, writing = os.pipe()
    ends = iter([writing])

    def end() -> None:
        for descriptor in ends:
            os.close(descriptor)

    yield reading, end
    end()
    os.close(reading)


def test_it_ends_with_its_parent(endpoint: FakeEndpoint, pipe: tuple[int, Callable[[], None]], tmp_path: Path) -> None:
    """And removes the socket that a coordinator left, with its folder."""
    reading, end = pipe
    folder = tmp_path / "run"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "s"))
    parent = Parent(f"ipc://{folder / 's'}", reading)
    endpoint.script = [lambda: None, lambda: None, end]
    assert work(endpoint, parent) == Quit("its parent ended", 1)
    assert endpoint.watched == [reading]
    assert not endpoint.script
    assert not folder.exists()


@pytest.mark.parametrize("address", [None, "ipc:///no/such/socket", "ipc://{}/file", "tcp://127.0.0.1:1"])
def test_nothing_but_a_socket_is_removed(address: str | None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Parent(address and address.format(tmp_path)).clear()
    assert (tmp_path / "file").exists()
