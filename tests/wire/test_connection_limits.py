"""Which connections are ended, and when: real ones, and a clock set by hand. tests/end_to_end/test_security.py: all."""

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from engine.wire.connection_limits import (
    AT_ONE_ADDRESS,
    CHECK_EVERY,
    HANDSHAKE,
    PARTING,
    QUEUED_MESSAGES,
    READ_AHEAD,
    SILENCE,
    STRANGER_BYTES,
    ConnectionLimits,
)
from tests.support.fakes import FakeClock
from tests.support.strangers import ended

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
        self.limits.introduce(PEER, self.ours.fileno(), "")
        self.take()
        self.check()

    def take(self) -> None:
        """Note that a message was taken."""
        connection = self.limits.of(PEER)
        assert connection
        connection.heard = True

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
        guarded.take()  # what has come so far is forgiven
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


def test_one_that_was_told_to_leave_has_a_moment_to_do_so(guarded: Guarded) -> None:
    guarded.introduce()
    guarded.limits.dismiss(PEER)
    guarded.limits.dismiss(b"unknown")
    guarded.check(PARTING)
    guarded.limits.dismiss(PEER)  # does not begin again
    assert not guarded.ended()
    guarded.check()
    assert guarded.ended()


def test_one_can_be_ended_at_once(guarded: Guarded) -> None:
    guarded.introduce()
    guarded.limits.end(b"unknown", "a test")
    assert not guarded.ended()
    guarded.limits.end(PEER, "a test")
    assert guarded.ended()


class Crowd:
    """Many connections, all of this machine."""

    def __init__(self, server: socket.socket, stack: ExitStack) -> None:
        self._server, self._stack = server, stack
        self.limits = ConnectionLimits(server.getsockname()[1], LARGEST, FakeClock())
        stack.callback(self.limits.close)
        self.theirs: list[socket.socket] = []

    def come(self, name: bytes, trusted: bool = False) -> None:
        """Let one more come in and say its name."""
        theirs = self._stack.enter_context(socket.create_connection(self._server.getsockname()))
        theirs.setblocking(False)
        ours = self._stack.enter_context(self._server.accept()[0])
        self.theirs.append(theirs)
        self.limits.opened(ours.fileno())
        connection = self.limits.introduce(name, ours.fileno(), "")
        assert connection
        connection.proved = trusted

    def gone(self) -> list[int]:
        """Return the numbers of those that were hung up on."""
        return [number for number, peer in enumerate(self.theirs) if ended(peer)]


def test_at_one_address_the_oldest_that_has_not_proved_itself_makes_room(server: socket.socket) -> None:
    with ExitStack() as stack:
        crowd = Crowd(server, stack)
        for number in range(AT_ONE_ADDRESS):
            crowd.come(b"%d" % number, trusted=number in (0, 2))
        assert crowd.gone() == []
        for number in range(3):
            crowd.come(b"new %d" % number)
        assert crowd.gone() == [1, 3, 4]


def test_a_descriptor_that_is_of_another_socket_by_now_is_left_alone(server: socket.socket) -> None:
    guarded = Guarded(server, place=1)
    guarded.check(HANDSHAKE + CHECK_EVERY)
    assert not guarded.ended()
    guarded.close()


def test_a_descriptor_that_is_of_a_local_socket_by_now_is_left_alone(server: socket.socket) -> None:
    """The connection ended before its event was read, and a worker of this machine got its number."""
    limits = ConnectionLimits(server.getsockname()[1], LARGEST, FakeClock())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limits.opened(ours.fileno())
        limits.closed(ours.fileno())
        theirs.sendall(b"still there")
        assert ours.recv(20) == b"still there"


def test_who_is_known_and_who_was_lost(guarded: Guarded) -> None:
    descriptor = guarded.ours.fileno()
    assert guarded.limits.of(PEER) is None
    guarded.introduce()
    assert guarded.limits.of(PEER)
    assert guarded.limits.closed(descriptor)
    assert not guarded.limits.closed(descriptor)
    assert guarded.limits.of(PEER) is None


def test_a_stranger_that_leaves_is_no_loss(guarded: Guarded) -> None:
    assert not guarded.limits.closed(guarded.ours.fileno())
