"""What a worker must say to be let in, what it is given, and who is told of its end."""

from dataclasses import replace
from typing import Any

import pytest

from engine.compute.job import job_from
from engine.coordinator.config import Config, Environment
from engine.coordinator.membership import Membership
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.peers import PING, Peers
from engine.coordinator.source import WorkerReport
from engine.coordinator.vain import BRIEF, HINT, LOST, TIMES
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire import relays
from engine.wire.shared_memory import SharedMemory
from tests.support.fakes import JOB, MODEL, NUMERICS, FakeClock, FakeSupervisor

HELLO = m.Hello("box", 7, NUMERICS)
READY = m.Ready("s", MODEL.layout().digest)


class Wire:
    """An endpoint that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, m.Message, m.Frame | None]] = []
        self.gone: set[bytes] = set()
        self.remote: set[bytes] = set()
        self.lost = False
        self.refused: list[tuple[bytes, bool]] = []

    def send(self, peer: bytes, frames: Any) -> bool:
        if peer not in self.gone:
            self.sent.append((peer, *m.decode(frames)))
        return peer not in self.gone

    def poll(self, timeout: float) -> list[Any]:
        return []

    def lost_connections(self) -> bool:
        return self.lost

    def is_local(self, peer: bytes) -> bool:
        return peer not in self.remote

    def key(self, peer: bytes) -> str:
        return "0123456789abcdef" * 4 if peer in self.remote else ""

    def trust(self, peer: bytes) -> None:
        pass

    def floods(self, peer: bytes) -> bool:
        return False

    def refuse(self, peer: bytes, forever: bool = False) -> None:
        self.refused.append((peer, forever))


class Gate:
    """Peers with everything around them."""

    def __init__(
        self, content: bytes = b"", shared_memory: SharedMemory | None = None, numerics: str = NUMERICS, **more: Any
    ) -> None:
        self.wire, self.clock, self.supervisor = Wire(), FakeClock(), FakeSupervisor()
        self.notices: list[Notice] = []
        self.members = Membership()

        def no_arbiter(*_: object) -> Any:
            raise AssertionError("nobody is to be arbitrated")

        environment = Environment(
            self.wire, self.supervisor, self.clock, self.notices.append, lambda: False, no_arbiter, shared_memory
        )
        self.peers = Peers(Config(JOB, 50, 300, content, "s", numerics, **more), environment, self.members)

    def answer(self, peer: bytes, hello: m.Hello = HELLO) -> m.Message:
        """Return what is said to a HELLO."""
        self.peers.greet(peer, hello)
        return self.wire.sent[-1][1]


def test_a_worker_joins_and_goes() -> None:
    gate = Gate()
    assert gate.answer(b"a") == m.Welcome("s", "box:7")
    assert job_from(m.unpack(gate.wire.sent[-1][2])) == JOB
    assert (gate.members.reports(), gate.notices) == ([], [])
    gate.peers.admit(b"a", READY)
    report = WorkerReport("box:7", "box", 7, 0, 0.0, 0.0)
    assert gate.members.reports() == [report]
    gate.peers.part(b"a", NoticeKind.LEFT, "tired")
    gate.peers.part(b"a", NoticeKind.LEFT, "tired")
    assert gate.notices == [
        Notice(NoticeKind.JOINED, "box:7", "pid 7 on box", report),
        Notice(NoticeKind.LEFT, "box:7", "tired", report),
    ]
    assert gate.supervisor.suspects == {7}


def test_one_that_was_never_ready_did_nothing_worth_a_row() -> None:
    gate = Gate()
    gate.answer(b"a")
    gate.peers.part(b"a", NoticeKind.LOST, "its connection was lost")
    assert gate.notices == [Notice(NoticeKind.LOST, "box:7", "its connection was lost", None)]


def test_one_that_is_lost_again_and_again_before_an_answer_gets_a_hint() -> None:
    gate = Gate()
    gate.wire.remote = {b"a"}
    for _ in range(TIMES + 1):
        gate.answer(b"a")
        gate.peers.part(b"a", NoticeKind.LOST, "its connection was lost")
    lost = "its connection was lost"
    assert [notice.text for notice in gate.notices] == [lost, lost, lost + HINT, lost]


def test_one_that_says_what_is_wrong_gets_no_hint_nor_one_that_is_lost_now_and_then() -> None:
    gate = Gate()
    gate.wire.remote = {b"a"}
    for _ in range(TIMES + 1):
        gate.answer(b"a")
        gate.peers.part(b"a", NoticeKind.LOST, "it failed: there is no module")
    for _ in range(TIMES + 1):
        gate.answer(b"a")
        gate.peers.part(b"a", NoticeKind.LOST, LOST)
        gate.clock.time += BRIEF
    assert not [notice.text for notice in gate.notices if HINT in notice.text]


def test_one_that_gave_an_answer_gets_none() -> None:
    gate = Gate()
    gate.wire.remote = {b"a"}
    for _ in range(TIMES + 1):
        gate.answer(b"a")
        member = gate.members.get(b"a")
        assert member
        member.images = 1
        gate.peers.part(b"a", NoticeKind.LOST, "its connection was lost")
    assert {notice.text for notice in gate.notices} == {"its connection was lost"}


def test_the_longest_host_name_fits() -> None:
    gate = Gate()
    hello = m.Hello("\N{SNOWMAN}" * 64, 2**32, NUMERICS)
    gate.wire.remote = {b"a"}  # the supervisor of the test knows one host only
    answers = [gate.answer(b"a", hello) for _ in range(3)]
    assert answers[-1] == m.Welcome("s", "\N{SNOWMAN}" * 64 + f":{2**32}#3")


def test_other_numbers_are_refused_and_both_are_named() -> None:
    gate = Gate()
    refused = gate.answer(b"a", m.Hello("box", 7, "numpy 1; " + "x" * 400))
    assert isinstance(refused, m.Refuse)
    assert gate.wire.sent[-1][2] is None
    for part in ("different bits", "numpy 1", NUMERICS):
        assert part in refused.reason
    assert (gate.members.peers(), [(n.kind, n.worker) for n in gate.notices]) == ([], [(NoticeKind.REFUSED, "box:7")])


def test_only_what_differs_is_named() -> None:
    gate = Gate(numerics="program 1; arithmetic 2", libraries="numba 1 for znver4; x86_64")
    hello = m.Hello("box", 7, "program 3; arithmetic 2", libraries="numba 1 for haswell; x86_64")
    refused = gate.answer(b"a", hello)
    said = "with program 3; numba 1 for haswell (here: program 1; numba 1 for znver4)"
    assert refused == m.Refuse(f"it would compute different bits, {said}")


def test_other_libraries_and_processors_may_join() -> None:
    gate = Gate(libraries="numba 1 for znver4")
    assert gate.answer(b"a", replace(HELLO, libraries="numba 2 for haswell")) == m.Welcome("s", "box:7", 0)
    assert gate.peers.admit(b"a", READY) is not None
    assert [report.libraries for report in gate.members.reports()] == ["numba 2 for haswell"]


@pytest.mark.parametrize(
    ("libraries", "said"),
    [
        ("numba 2 for haswell; x86_64", "with numba 2 for haswell (here: numba 1 for znver4)"),
        ("numba 1 for znver4; x86_64", "with the same libraries and processor"),
    ],
)
def test_one_that_computes_the_job_otherwise_is_refused(libraries: str, said: str) -> None:
    gate = Gate(libraries="numba 1 for znver4; x86_64", nonce=77, proof="right")
    assert gate.answer(b"a", replace(HELLO, libraries=libraries)) == m.Welcome("s", "box:7", 77)
    assert gate.peers.admit(b"a", replace(READY, proof="wrong")) is None
    reason = f"it computes different bits of this job, {said}"
    assert gate.wire.sent[-1][:2] == (b"a", m.Refuse(reason))
    assert gate.notices == [Notice(NoticeKind.REFUSED, "box:7", reason)]
    assert (gate.members.reports(), gate.wire.refused) == ([], [(b"a", False)])
    gate.answer(b"b")
    assert gate.peers.admit(b"b", replace(READY, proof="right")) is not None


def test_one_that_is_refused_comes_back_later_and_one_that_is_expelled_never() -> None:
    gate = Gate()
    gate.answer(b"a", m.Hello("box", 7, "other numbers"))
    gate.peers.refuse(b"b", "nonsense")
    gate.answer(b"c")
    gate.peers.expel(b"c", NoticeKind.AUDIT, "lies")
    assert gate.wire.refused == [(b"a", False), (b"b", False), (b"c", True)]
    assert gate.wire.sent[-1][:2] == (b"c", m.Refuse("lies"))
    assert [(n.kind, n.worker) for n in gate.notices[-2:]] == [
        (NoticeKind.BAD_MESSAGE, "stranger 62"),
        (NoticeKind.AUDIT, "box:7"),
    ]


def test_only_who_was_greeted_and_is_not_ready_may_ask_for_a_place() -> None:
    gate, place = Gate(), relays.Place("s", "tcp://10.0.0.1:5000", "ab" * 32)
    with pytest.raises(ProtocolError, match="PLACE from a worker that is ready, or twice"):
        gate.peers.links.seat(b"a", place)
    gate.answer(b"a")
    gate.peers.links.seat(b"a", place)
    assert gate.wire.sent[-1][1] == relays.Seat("s")
    gate.peers.admit(b"a", READY)
    with pytest.raises(ProtocolError, match="PLACE from a worker that is ready, or twice"):
        gate.peers.links.seat(b"a", place)


def test_a_worker_of_another_machine_is_known_by_its_key() -> None:
    gate = Gate()
    gate.wire.remote = {b"a"}
    for peer in (b"a", b"b"):
        gate.answer(peer)
        gate.peers.admit(peer, READY)
    assert [report.key for report in gate.members.reports()] == ["0123456789abcdef", ""]


def test_the_longest_reason_fits() -> None:
    refused = Gate().answer(b"a", m.Hello("box", 7, "\N{SNOWMAN}" * 300))
    assert isinstance(refused, m.Refuse)
    assert refused.reason.endswith(f"(here: {NUMERICS})")


def test_who_may_be_ready() -> None:
    gate = Gate()
    gate.answer(b"a")
    with pytest.raises(ProtocolError, match="its parameters have layout abc, expected"):
        gate.peers.admit(b"a", m.Ready("s", "abc"))
    assert gate.members.reports() == []
    gate.peers.admit(b"a", READY)
    with pytest.raises(ProtocolError, match="READY came twice"):
        gate.peers.admit(b"a", READY)


def test_data_is_given_to_those_that_were_welcomed_until_they_are_ready() -> None:
    content = bytes(range(256)) * (m.CHUNK_LIMIT // 256) + b"the end"
    gate = Gate(content)
    gate.answer(b"a")
    for offset in (0, m.CHUNK_LIMIT):
        assert gate.peers.feed(b"a", m.Fetch("s", offset))
        assert not gate.peers.feed(b"a", m.Fetch("s", offset)), "it has that piece already"
        _, chunk, piece = gate.wire.sent[-1]
        assert chunk == m.Chunk("s", offset, len(content))
        assert bytes(piece or b"") == content[offset : offset + m.CHUNK_LIMIT]
    with pytest.raises(ProtocolError, match=f"FETCH from byte {len(content)}, of a data set of {len(content)}"):
        gate.peers.feed(b"a", m.Fetch("s", len(content)))
    gate.peers.admit(b"a", READY)
    with pytest.raises(ProtocolError, match="FETCH from a worker that is ready"):
        gate.peers.feed(b"a", m.Fetch("s", 0))


def test_who_cannot_be_reached_is_found_out_at_once_after_a_loss_and_now_and_then() -> None:
    gate = Gate()
    for peer in (b"a", b"b"):
        gate.answer(peer)
    gate.wire.gone = {b"b"}
    assert gate.peers.unreachable() == []
    gate.clock.time += PING + 1
    assert gate.peers.unreachable() == [b"b"]
    assert gate.peers.unreachable() == []
    gate.wire.lost = True
    assert gate.peers.unreachable() == [b"b"]


def test_a_message_of_another_session_is_answered_if_its_sender_has_not_joined() -> None:
    gate = Gate()
    gate.answer(b"a")
    assert gate.peers.has_joined(b"a", "s")
    assert not gate.peers.has_joined(b"a", "the last one")
    assert not gate.peers.has_joined(b"b", "s")
    gate.peers.redirect(b"a", m.Goodbye("the last one", "x"))
    assert isinstance(gate.wire.sent[-1][1], m.Welcome), "it knows better by now"
    gate.peers.redirect(b"b", m.Goodbye("the last one", "x"))
    assert gate.wire.sent[-1][:2] == (b"b", m.Stop("the last one", "that session is over"))
    assert [(n.kind, n.worker) for n in gate.notices] == [
        (NoticeKind.UNASKED, "box:7"),
        (NoticeKind.UNASKED, "stranger 62"),
    ]


def test_the_processes_of_a_relay_come_and_go_with_it() -> None:
    gate = Gate()
    gate.answer(b"r")
    with pytest.raises(ProtocolError, match="not ready"):
        gate.peers.processes.note(b"r", relays.Process("s", 1, 70))
    gate.peers.admit(b"r", m.Ready("s", MODEL.layout().digest, processes=2))
    for number in (1, 2):
        gate.peers.processes.note(b"r", relays.Process("s", number, 70 + number))
    with pytest.raises(ProtocolError, match="joined twice"):
        gate.peers.processes.note(b"r", relays.Process("s", 2, 72))
    gate.peers.processes.note(b"r", relays.Process("s", 1, 71, "killed"))
    with pytest.raises(ProtocolError, match="has not joined"):
        gate.peers.processes.note(b"r", relays.Process("s", 1, 71, "killed"))
    for number in range(3, m.MOST_PROCESSES + 2):
        gate.peers.processes.note(b"r", relays.Process("s", number, 70 + number))
    with pytest.raises(ProtocolError, match="one too many"):
        gate.peers.processes.note(b"r", relays.Process("s", m.MOST_PROCESSES + 2, 76))
    gate.peers.part(b"r", NoticeKind.LOST, "its connection was lost")
    told = [(notice.kind, notice.worker, notice.text) for notice in gate.notices]
    assert told[:4] == [
        ("joined", "box:7", "pid 7 on box, a relay with 2 processes"),
        ("joined", "box:71", "pid 71 on box, via box:7"),
        ("joined", "box:72", "pid 72 on box, via box:7"),
        ("lost", "box:71", "killed"),
    ]
    gone = "its relay box:7: its connection was lost"
    there = range(72, 72 + m.MOST_PROCESSES)
    assert told[-1 - len(there) : -1] == [("lost", f"box:{pid}", gone) for pid in there]
    assert told[-1] == ("lost", "box:7", "its connection was lost")
