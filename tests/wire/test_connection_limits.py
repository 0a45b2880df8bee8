"""Which connections are ended, and when: real ones, and a clock set by hand. tests/end_to_end/test_security.py: all."""

import logging
import socket
import sys
from collections.abc import Iterator

import pytest

from engine.wire.connection_limits import (
    BAD_MESSAGES,
    CHECK_EVERY,
    HANDSHAKE,
    QUEUED_MESSAGES,
    READ_AHEAD,
    SILENCE,
    STRANGER_BYTES,
    ConnectionLimits,
)
from tests.support.fakes import FakeClock

LARGEST = 1000
PEER = b"peer"


class Guarded:
    """A connection under limits: `theirs` is the other end of `ours`, of which ZeroMQ would be the owner."""

    def __init__(self, server: socket.socket, place: int) -> None:
        self.clock = FakeClock()
        self.limits = ConnectionLimits(place, LARGEST, self.clock)
        self.theirs = socket.create_connection(server.getsockname())
        self.ours, _ = server.accept()
        self.theirs.settimeout(10)
        self.ours.settimeout(10)
        self.limits.opened(self.ours.fileno())

    def send(self, count: int) -> None:
        """Let `count` bytes come in, and be read."""
        self.theirs.sendall(bytes(count))
        while count:
            count -= len(self.ours.recv(count))

    def introduce(self) -> None:
        self.send(100)
        self.limits.introduce(PEER, self.ours.fileno())
        self.check()

    def check(self, after: float = 2 * CHECK_EVERY) -> None:
        self.clock.time += after
        self.limits.check()

    def ended(self) -> bool:
        """Whether the other end has been hung up on."""
        self.theirs.setblocking(False)
        try:
            return self.theirs.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.limits.close()
        self.theirs.close()
        self.ours.close()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def guarded(server: socket.socket) -> Iterator[Guarded]:
    guarded = Guarded(server, server.getsockname()[1])
    yield guarded
    guarded.close()


def test_a_first_message_must_come_in_time(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gradsum.wire")
    guarded.check(HANDSHAKE)
    assert not guarded.ended()
    guarded.check()
    assert guarded.ended()
    assert [record.name for record in caplog.records] == ["gradsum.wire"]
    assert caplog.messages[0].endswith("is ended: it sent no message in time")


def test_a_check_is_made_only_now_and_then(guarded: Guarded) -> None:
    guarded.check(HANDSHAKE)
    guarded.check(CHECK_EVERY / 2)
    assert not guarded.ended()


needs_tcp_info = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how many bytes came in")


@needs_tcp_info
@pytest.mark.parametrize("over", [0, 1])
def test_a_stranger_may_send_only_so_much(guarded: Guarded, over: int) -> None:
    guarded.send(STRANGER_BYTES + over)
    guarded.check()
    assert guarded.ended() == bool(over)


@needs_tcp_info
@pytest.mark.parametrize("over", [0, 1])
def test_so_much_may_come_before_a_message_is_taken(guarded: Guarded, over: int) -> None:
    guarded.introduce()
    most = (QUEUED_MESSAGES + 1) * LARGEST + READ_AHEAD
    for part in (most, most + over):
        guarded.send(part)
        guarded.check()
        assert guarded.ended() == (part > most)
        assert guarded.limits.heard(PEER)  # a message was taken: what has come so far is forgiven
        guarded.check()


@needs_tcp_info
def test_one_that_sends_now_and_then_stays(guarded: Guarded) -> None:
    guarded.introduce()
    for _ in range(3):
        guarded.check(0.9 * SILENCE)
        assert not guarded.ended()
        guarded.send(1)
        guarded.check()
    guarded.check(SILENCE + CHECK_EVERY)
    assert guarded.ended()


def test_bad_messages_are_counted(guarded: Guarded) -> None:
    guarded.introduce()
    for _ in range(BAD_MESSAGES):
        guarded.limits.blame(PEER)
    guarded.limits.blame(b"unknown")
    assert not guarded.ended()
    guarded.limits.blame(PEER)
    assert guarded.ended()


def test_a_descriptor_that_is_of_another_socket_by_now_is_left_alone(server: socket.socket) -> None:
    guarded = Guarded(server, place=1)
    guarded.check(HANDSHAKE + CHECK_EVERY)
    assert not guarded.ended()
    guarded.close()


def test_who_is_known_and_who_was_lost(guarded: Guarded) -> None:
    descriptor = guarded.ours.fileno()
    assert not guarded.limits.heard(PEER)
    guarded.introduce()
    assert guarded.limits.heard(PEER)
    assert guarded.limits.closed(descriptor)
    assert not guarded.limits.closed(descriptor)
    assert not guarded.limits.heard(PEER)


def test_a_stranger_that_leaves_is_no_loss(guarded: Guarded) -> None:
    assert not guarded.limits.closed(guarded.ours.fileno())
