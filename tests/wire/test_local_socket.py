"""The coordinator's socket for processes of this machine: limits, and who is told to leave."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.wire.connection_limits import PARTING, UNASKED
from engine.wire.local_dialer import LocalDialer
from engine.wire.local_socket import AGAIN, LocalSocket
from engine.wire.packets import LARGEST_BEHIND, has_packets
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.skipif(not has_packets(), reason="this system has no sockets of packets")

LARGEST = 1000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bound(clock: FakeClock, tmp_path: Path) -> Iterator[LocalSocket]:
    bound = LocalSocket(b"\0", f"unix://{tmp_path / 'socket'}", LARGEST, clock)
    yield bound
    bound.close()
    assert not (tmp_path / "socket").exists()


@pytest.fixture
def dialer(bound: LocalSocket) -> Iterator[LocalDialer]:
    dialer = LocalDialer(bound.address, LARGEST)
    assert dialer.poll(0) is None
    assert (dialer.connected(), dialer.connected()) == (True, False)
    assert bound.receive(0) == []
    yield dialer
    dialer.close()


def hello(bound: LocalSocket, dialer: LocalDialer) -> bytes:
    """Let the dialer say hello, and return its identity."""
    dialer.send([b"hello"])
    (received,) = bound.receive(0)
    return received.peer


def test_the_end_of_a_peer_is_known_at_once(bound: LocalSocket, dialer: LocalDialer) -> None:
    peer = hello(bound, dialer)
    assert bound.send(peer, [b"x"])
    dialer.close()
    assert not bound.send(peer, [b"x"])
    assert not bound.lost
    assert bound.receive(0) == []
    assert bound.lost


def test_the_end_of_one_that_said_nothing_is_no_loss(bound: LocalSocket, dialer: LocalDialer) -> None:
    dialer.close()
    assert bound.receive(0) == []
    assert not bound.lost


def test_one_that_reads_nothing_is_as_good_as_gone(bound: LocalSocket, dialer: LocalDialer) -> None:
    peer = hello(bound, dialer)
    assert not all(bound.send(peer, [b"x"]) for _ in range(100_000))
    assert dialer.poll(0) == [b"x"]
    assert bound.send(peer, [b"x"])


def test_without_descriptors_nobody_is_admitted_for_a_while(
    bound: LocalSocket, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_: socket.socket) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    dialer = LocalDialer(bound.address, LARGEST)
    dialer.poll(0)
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "accept", none_left)
        for _ in range(3):
            assert bound.receive(0) == []
            bound.check_limits()
    assert len([record for record in caplog.records if "cannot be admitted: [Errno 24]" in record.getMessage()]) == 1
    clock.time += AGAIN
    bound.check_limits()
    assert bound.receive(0) == []
    assert bound.send(hello(bound, dialer), [b"x"])
    dialer.close()


def test_what_there_is_no_descriptor_for_is_not_sent(
    bound: LocalSocket, dialer: LocalDialer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: str) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    peer = hello(bound, dialer)
    monkeypatch.setattr(os, "memfd_create", none_left)
    assert not bound.send(peer, [b"header", bytes(LARGEST_BEHIND + 1)])
    assert bound.send(peer, [b"header", b"small"])


def test_each_poll_takes_one_message_of_each(bound: LocalSocket, dialer: LocalDialer) -> None:
    other = LocalDialer(bound.address, LARGEST)
    other.poll(0)
    assert bound.receive(0) == []
    for number in range(3):
        dialer.send([b"%d" % number])
        other.send([b"%d" % number])
    for number in range(3):
        assert [bytes(one.frames[0]) for one in bound.receive(0)] == [b"%d" % number] * 2
    other.close()


def test_a_bad_packet_ends_its_connection(bound: LocalSocket, dialer: LocalDialer) -> None:
    peer = hello(bound, dialer)
    dialer.send([b"header", bytes(LARGEST + 1)])
    assert bound.receive(0) == []
    assert not bound.send(peer, [b"x"])
    assert dialer.poll(0) is None
    assert dialer.poll(0) is None
    assert dialer.connected(), "it tries again"


def test_whoever_was_told_to_leave_leaves_in_time_or_with_the_next_word(
    bound: LocalSocket, dialer: LocalDialer, clock: FakeClock
) -> None:
    peer = hello(bound, dialer)
    bound.refuse(peer, forever=False)
    bound.check_limits()
    assert bound.send(peer, [b"last words"])
    clock.time += 2 * PARTING
    bound.check_limits()
    assert not bound.send(peer, [b"x"])
    assert dialer.poll(0) == [b"last words"]
    assert dialer.poll(0) is None
    dialer.poll(0)
    bound.receive(0)
    peer = hello(bound, dialer)
    bound.refuse(peer, forever=True)
    dialer.send([b"but"])
    assert bound.receive(0) == []
    assert not bound.send(peer, [b"x"])


def test_too_many_messages_that_nobody_asked_for(bound: LocalSocket, dialer: LocalDialer) -> None:
    peer = hello(bound, dialer)
    assert not any(bound.floods(peer) for _ in range(UNASKED))
    bound.trust(peer)
    assert [bound.floods(peer) for _ in range(2)] == [False, True]
    assert not bound.floods(b"nobody")


def test_processes_of_other_users_are_not_admitted(tmp_path: Path) -> None:
    bound = LocalSocket(b"\0", f"unix://{tmp_path / 'other'}", LARGEST, users=())
    dialer = LocalDialer(bound.address, LARGEST)
    dialer.poll(0)
    dialer.send([b"hello"])
    assert [bound.receive(0) for _ in range(3)] == [[], [], []]
    assert dialer.poll(0) is None
    dialer.close()
    bound.close()
