"""Who is there: what a worker must say to be let in, and what is known of it."""

from dataclasses import replace

import pytest

from engine.compute.job import job_from
from engine.coordinator.membership import Membership
from engine.coordinator.notices import Notice
from engine.coordinator.source import WorkerReport
from engine.errors import ProtocolError
from engine.wire import messages as m
from tests.support.fakes import JOB, MODEL, NUMERICS

HELLO = m.Hello("box", 7, NUMERICS)
READY = m.Ready("s", MODEL.layout().digest)
RESULT = m.Result("s", 1, 1, 0, 1, 0.5, 1, seconds=0.25, cpu=2.0)


@pytest.fixture
def notices() -> list[Notice]:
    return []


@pytest.fixture
def members(notices: list[Notice]) -> Membership:
    return Membership(JOB, b"", "s", NUMERICS, notices.append)


def test_a_worker_joins_works_and_leaves(members: Membership, notices: list[Notice]) -> None:
    message, payload = m.decode(members.greet(b"a", HELLO))
    assert message == m.Welcome("s", "box:7")
    assert job_from(m.unpack(payload)) == JOB
    assert (members.peers(), members.reports(), notices) == ([b"a"], [], [])
    members.admit(b"a", READY)
    nothing = WorkerReport("box:7", "box", 7, 0, 0.0, 0.0)
    assert members.reports() == [nothing]
    members.credit(b"a", RESULT, 64)
    members.credit(b"a", replace(RESULT, cpu=1.5), 36)
    done = WorkerReport("box:7", "box", 7, 100, 0.5, 2.0)
    assert members.reports() == [done]
    members.drop(b"a", "tired")
    assert (members.peers(), members.reports(), members.get(b"a")) == ([], [], None)
    assert members.cpu_seconds() == 2.0
    assert notices == [
        Notice("joined", "box:7", "pid 7 on box", nothing),
        Notice("left", "box:7", "tired", done),
    ]
    members.drop(b"a", "tired")
    assert len(notices) == 2


def test_one_that_was_never_ready_did_nothing_worth_a_row(members: Membership, notices: list[Notice]) -> None:
    members.greet(b"a", HELLO)
    members.drop(b"a", "its connection was lost")
    assert notices == [Notice("left", "box:7", "its connection was lost", None)]


def test_processor_seconds_of_those_that_left_still_count(members: Membership) -> None:
    for i, peer in enumerate((b"a", b"b"), 1):
        members.greet(peer, HELLO)
        members.admit(peer, READY)
        members.credit(peer, replace(RESULT, cpu=float(i)), 1)
    members.drop(b"a", "x")
    assert members.cpu_seconds() == 3.0


def test_no_two_workers_share_a_name(members: Membership) -> None:
    names = []
    for peer in (b"a", b"b", b"c"):
        message, _ = m.decode(members.greet(peer, HELLO))
        assert isinstance(message, m.Welcome)
        names.append(message.name)
        members.drop(peer, "x")
    assert names == ["box:7", "box:7#2", "box:7#3"]


def test_the_name_of_a_worker_of_an_earlier_session_is_not_given_again(notices: list[Notice]) -> None:
    members = Membership(JOB, b"", "s", NUMERICS, notices.append, known=["box:7", "box:7#3", "other:1"])
    names = []
    for peer in (b"a", b"b", b"c"):
        message, _ = m.decode(members.greet(peer, HELLO))
        assert isinstance(message, m.Welcome)
        names.append(message.name)
    assert names == ["box:7#2", "box:7#4", "box:7#5"]


def test_the_longest_host_name_fits(members: Membership) -> None:
    hello = m.Hello("\N{SNOWMAN}" * 64, 2**32, NUMERICS)
    for _ in range(3):
        message, _ = m.decode(members.greet(b"a", hello))
    assert message == m.Welcome("s", "\N{SNOWMAN}" * 64 + f":{2**32}#3")


def test_other_numbers_are_refused_and_both_are_named(members: Membership, notices: list[Notice]) -> None:
    frames = members.greet(b"a", m.Hello("box", 7, "numpy 1; " + "x" * 400))
    message, payload = m.decode(frames)
    assert isinstance(message, m.Refuse)
    assert payload is None
    for part in ("other software or hardware", "numpy 1", NUMERICS):
        assert part in message.reason
    assert (members.peers(), [n.kind for n in notices]) == ([], ["refused"])


def test_the_longest_reason_fits(members: Membership) -> None:
    message, _ = m.decode(members.greet(b"a", m.Hello("box", 7, "\N{SNOWMAN}" * 300)))
    assert isinstance(message, m.Refuse)
    assert message.reason.endswith(f"(here: {NUMERICS})")


def test_who_may_be_ready(members: Membership) -> None:
    members.greet(b"a", HELLO)
    with pytest.raises(ProtocolError, match="its parameters have the layout abc, here it is"):
        members.admit(b"a", m.Ready("s", "abc"))
    assert members.reports() == []
    members.admit(b"a", READY)
    with pytest.raises(ProtocolError, match="once"):
        members.admit(b"a", READY)


def test_names_for_the_records(members: Membership, notices: list[Notice]) -> None:
    members.greet(b"a", HELLO)
    members.note("ignored", b"a", "late")
    members.note("bad message", b"\x00\xff", "what?")
    assert [(n.worker, n.text) for n in notices] == [("box:7", "late"), ("stranger 00ff", "what?")]


def test_data_is_given_to_those_that_were_welcomed_until_they_are_ready(notices: list[Notice]) -> None:
    content = bytes(range(256)) * (m.CHUNK_LIMIT // 256) + b"the end"
    members = Membership(JOB, content, "s", NUMERICS, notices.append)
    members.greet(b"a", HELLO)
    first, piece = m.decode(members.chunk(b"a", m.Fetch("s", 0)))
    assert (first, bytes(piece or b"")) == (m.Chunk("s", 0, len(content)), content[: m.CHUNK_LIMIT])
    second, piece = m.decode(members.chunk(b"a", m.Fetch("s", m.CHUNK_LIMIT)))
    assert (second, bytes(piece or b"")) == (m.Chunk("s", m.CHUNK_LIMIT, len(content)), b"the end")
    with pytest.raises(ProtocolError, match="where there are"):
        members.chunk(b"a", m.Fetch("s", len(content)))
    members.admit(b"a", READY)
    with pytest.raises(ProtocolError, match="not ready"):
        members.chunk(b"a", m.Fetch("s", 0))
