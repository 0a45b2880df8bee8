"""The worker's side of the protocol: every state with every message."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from tests.support.fakes import JOB, MODEL
from workers.session import Action, Compute, Leave, Prepare, Quit, Send, Session, Store

LAYOUT = MODEL.layout()
PARAMETERS = np.arange(LAYOUT.size, dtype=np.float32)
PAYLOAD = PARAMETERS.tobytes()
WELCOME = m.Welcome("s", "box:1")
PROOF = "ab" * 32
DESCRIPTION = m.pack(JOB.describe())
WORK = m.Work("s", round=1, attempt=1, kind=m.WorkKind.TRAIN, step=1, start=0, stop=2, total=6, version=0)


def greeting() -> Session:
    return Session()


def preparing() -> Session:
    session = Session()
    session.handle(WELCOME, DESCRIPTION)
    return session


def working() -> Session:
    session = preparing()
    session.prepared(LAYOUT.digest, LAYOUT.size, PROOF)
    return session


def holding() -> Session:
    """Works, and has the parameters of version 0."""
    session = working()
    session.handle(WORK, PAYLOAD)
    return session


STATES = [greeting, preparing, working, holding]
JOINED = [preparing, working, holding]


def refused(session: Session, message: m.Message, payload: bytes | None = None, match: str = "") -> None:
    """The message is refused, and the session goes on as if it had not come."""
    before = vars(session).copy()
    with pytest.raises(ProtocolError, match=match or None):
        session.handle(message, payload)
    assert vars(session) == before


def test_a_whole_stay() -> None:
    session = Session()
    assert session.handle(WELCOME, DESCRIPTION) == [Prepare(JOB, 0)]
    assert (session.id, session.name) == ("s", "box:1")
    assert session.prepared(LAYOUT.digest, LAYOUT.size, PROOF) == [Send(m.Ready("s", LAYOUT.digest, PROOF))]
    assert session.handle(m.Ping("s"), None) == []
    arrived, first = session.handle(WORK, PAYLOAD)
    assert arrived == Send(m.Arrived("s", WORK.round, WORK.attempt))
    assert isinstance(first, Compute)
    assert first.work == WORK
    assert first.parameters is not None
    assert first.parameters.tobytes() == PAYLOAD
    again = replace(WORK, attempt=2, start=4, stop=6)
    assert session.handle(again, None) == [Compute(again, None)]
    newer = replace(WORK, round=2, attempt=3, version=1)
    arrived, second = session.handle(newer, memoryview(PAYLOAD))
    assert arrived == Send(m.Arrived("s", 2, 3))
    assert isinstance(second, Compute)
    assert second.parameters is not None
    assert session.handle(m.Stop("s", "the run is over"), None) == [Leave()]


@pytest.mark.parametrize("state", STATES)
def test_refuse_ends_the_stay_in_every_state(state: Callable[[], Session]) -> None:
    assert state().handle(m.Refuse("not you"), None) == [Quit("the coordinator refused this worker: not you", 1)]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "message",
    [
        m.Hello("box", 1, "n"),
        m.Ready("s", LAYOUT.digest),
        m.Result("s", 1, 1, 0, 2, 0.0, 0, 0.0, 0.0),
        m.Failed("s", "x"),
        m.Arrived("s", 1, 1),
        m.Goodbye("s", "x"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_only_a_worker_may_say(state: Callable[[], Session], message: m.Message) -> None:
    refused(state(), message, match="is not for a worker")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "message",
    [m.Ping("t"), m.Stop("t", "x"), m.Chunk("t", 0, 9), replace(WORK, session="t")],
    ids=lambda x: type(x).__name__,
)
def test_what_another_session_left_is_not_used(state: Callable[[], Session], message: m.Message) -> None:
    session = state()
    before = vars(session).copy()
    assert session.handle(message, PAYLOAD) == []
    assert vars(session) == before


@pytest.mark.parametrize("state", JOINED)
def test_the_welcome_of_another_session_begins_it(state: Callable[[], Session]) -> None:
    session = state()
    assert session.handle(m.Welcome("t", "box:2"), DESCRIPTION) == [Prepare(JOB, 0)]
    assert session.handle(WORK, PAYLOAD) == []
    refused(session, replace(WORK, session="t"), PAYLOAD, match="before this worker was ready")


def test_data_that_is_not_at_hand_is_fetched_piece_by_piece() -> None:
    session = preparing()
    assert session.fetch(0) == [Send(m.Fetch("s", 0))]
    assert session.handle(m.Chunk("s", 0, 6), b"abc") == [Store(b"abc", 6)]
    refused(session, m.Chunk("s", 0, 6), b"abc", match="but nothing was asked for")
    assert session.fetch(3) == [Send(m.Fetch("s", 3))]
    refused(session, m.Chunk("s", 0, 6), b"abc", match="but byte 3 was asked for")
    assert session.handle(m.Chunk("s", 3, 6), b"def") == [Store(b"def", 6)]


@pytest.mark.parametrize("piece", [None, b"", b"x" * (m.CHUNK_LIMIT + 1)])
def test_a_piece_of_the_wrong_size(piece: bytes | None) -> None:
    session = preparing()
    session.fetch(0)
    refused(session, m.Chunk("s", 0, 6), piece, match="empty or too large")


@pytest.mark.parametrize("state", JOINED)
def test_ping_and_stop(state: Callable[[], Session]) -> None:
    actions: list[Action] = state().handle(m.Ping("s"), None)
    assert actions == []
    assert state().handle(m.Stop("s", "x"), None) == [Leave()]


@pytest.mark.parametrize("state", JOINED)
def test_a_second_welcome(state: Callable[[], Session]) -> None:
    refused(state(), WELCOME, DESCRIPTION, match="WELCOME came twice")


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (None, "has no job"),
        (b"", "not valid msgpack"),
        (b"\xc0", "a job is a table"),
        (b"\xc0" * (m.JOB_LIMIT + 1), "too large"),
        (DESCRIPTION[:-1], "not valid msgpack"),
        (DESCRIPTION.replace(b"\xa7Flatten", b"\xa7Flatter"), "the job cannot be understood"),
    ],
)
def test_a_welcome_without_a_job(payload: bytes | None, match: str) -> None:
    refused(greeting(), WELCOME, payload, match=match)


def test_work_before_the_job_is_prepared() -> None:
    refused(preparing(), WORK, PAYLOAD, match="before this worker was ready")


@pytest.mark.parametrize(("start", "stop", "total"), [(0, 0, 6), (2, 2, 6), (3, 2, 6), (0, 7, 6), (6, 7, 6), (0, 1, 0)])
def test_work_that_is_no_share(start: int, stop: int, total: int) -> None:
    refused(working(), replace(WORK, start=start, stop=stop, total=total), PAYLOAD, match="are not a share")


@pytest.mark.parametrize("size", [0, 4, len(PAYLOAD) - 1, len(PAYLOAD) + 4])
def test_parameters_of_the_wrong_size(size: int) -> None:
    refused(working(), WORK, (2 * PAYLOAD)[:size], match=f"parameters of {size} bytes, expected 40")


def test_parameters_in_shared_memory_are_taken_from_there_when_they_are_new() -> None:
    reads: list[int] = []

    def in_memory(version: int) -> Vector:
        reads.append(1)
        return PARAMETERS * len(reads)

    session = Session(in_memory)
    session.handle(WELCOME, DESCRIPTION)
    session.prepared(LAYOUT.digest, LAYOUT.size, PROOF)
    for version, read in ((0, 1), (0, None), (7, 2), (7, None)):
        work = replace(WORK, version=version)
        (action,) = session.handle(work, None)
        assert isinstance(action, Compute)
        assert action.work == work
        found = None if action.parameters is None else action.parameters.tolist()
        assert found == (None if read is None else (PARAMETERS * read).tolist())


def test_work_for_parameters_that_are_not_at_hand() -> None:
    refused(working(), WORK, match="for parameters 0, but this worker has none")
    refused(holding(), replace(WORK, version=3), match="for parameters 3, but this worker has 0")
