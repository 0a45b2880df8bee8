"""When a worker's connection counts as silent: by its bytes, real ones on this machine, and a clock set by hand."""

import os
import socket
import sys
from collections.abc import Iterator

import pytest
import zmq

from engine.wire import Dialer, tcp
from engine.wire.connection_limits import SILENCE
from engine.wire.connections import Connections, Happened
from engine.wire.keys import new_pair
from engine.wire.pulse import ANSWERS, EVERY, PING, Pulse
from engine.wire.tcp import Traffic, bytes_received
from tests.support.fakes import FakeClock
from tests.support.strangers import HANDSHAKE, PATIENCE, frame

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the bytes of a connection")
LARGEST = 1 << 20
LONG, PART = frame(bytes(100_000)), 10_000  # a message, and how much of it comes at once


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def accept(server: socket.socket) -> socket.socket:
    """Shake hands with a dialer by hand, and never answer its heartbeats."""
    connection, _ = server.accept()
    connection.settimeout(PATIENCE)
    connection.sendall(HANDSHAKE)
    return connection


def hung_up(connection: socket.socket) -> bool:
    """Return whether the other end has; what it says before is thrown away."""
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def borrowed(dialer: Dialer) -> socket.socket:
    """Return the connection of a dialer, by another descriptor of it."""
    assert dialer._chosen
    assert dialer._chosen._descriptor is not None
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=os.dup(dialer._chosen._descriptor))


def at(server: socket.socket) -> str:
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_message_takes_as_long_as_it_takes(server: socket.socket) -> None:
    clock = FakeClock()
    dialer = Dialer(at(server), LARGEST, clock=clock)
    with accept(server) as connection:
        while not dialer.connected():
            dialer.poll(0.01)
        with borrowed(dialer) as theirs:
            for begin in range(0, len(LONG), PART):
                before = bytes_received(theirs)
                connection.sendall(LONG[begin : begin + PART])
                while bytes_received(theirs) < before + len(LONG[begin : begin + PART]):
                    pass
                clock.time += 0.9 * SILENCE
                if begin + PART < len(LONG):
                    assert dialer.poll(0) is None
                    assert begin == 0 or dialer.arriving(), "the first look has nothing to compare with"
        while (message := dialer.poll(0.1)) is None:
            pass
        assert len(message[0]) == 100_000
        assert not dialer.lost()
        dialer.close()


def test_zeromq_itself_ends_no_connection_by_which_a_message_comes(server: socket.socket) -> None:
    """Its time-out of heartbeats starts anew only with a whole message."""
    dialer = Dialer(at(server), LARGEST)
    assert int(dialer.sources[0].getsockopt(zmq.HEARTBEAT_TIMEOUT)) > 3600 * 1000
    assert int(dialer.sources[0].getsockopt(zmq.HEARTBEAT_IVL)) <= SILENCE * 1000 / 3
    dialer.close()


def test_one_that_says_nothing_is_gone(server: socket.socket) -> None:
    clock = FakeClock()
    dialer = Dialer(at(server), LARGEST, clock=clock)
    with accept(server) as connection:
        while not dialer.connected():
            dialer.poll(0.01)
        for _ in range(int(SILENCE / EVERY)):
            clock.time += EVERY
            dialer.poll(0)
        connection.settimeout(0)
        with pytest.raises(BlockingIOError):
            while connection.recv(1000):
                pass
        clock.time += 2 * EVERY
        while not dialer.lost():
            dialer.poll(0.01)
        connection.settimeout(PATIENCE)
        assert hung_up(connection)
    dialer.close()


def test_so_is_a_relay_that_says_nothing(server: socket.socket) -> None:
    clock = FakeClock()
    connections = Connections(LARGEST, new_pair(), clock)
    assert connections.open(3, at(server), None)
    with accept(server):
        while connections.take() != [Happened(3)]:
            pass
        for _ in range(2):
            clock.time += SILENCE
            connections.take()
        while connections.take() != [Happened(3, there=False)]:
            pass
    connections.close()


def stopped(*seen: Traffic, seconds: float = EVERY) -> tuple[bool, bool]:
    """Return whether a connection has stopped by the last of several looks, and whether anything was arriving."""
    clock = FakeClock()
    pulse, found = Pulse(clock), False
    for one in seen:
        assert not pulse.due()
        clock.time += seconds
        assert pulse.due()
        found = pulse.stopped(one)
    return found, pulse.arriving()


@pytest.mark.parametrize("seen", [None, Traffic(0, 0, 0)])
def test_a_kernel_that_counts_nothing_leaves_it_to_zeromq(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch, seen: Traffic | None
) -> None:
    assert tcp.counted()
    monkeypatch.setattr(tcp, "traffic", lambda _: seen)
    tcp.counted.cache_clear()
    try:
        dialer = Dialer(at(server), LARGEST)
        assert dialer.sources[0].getsockopt(zmq.HEARTBEAT_TIMEOUT) == SILENCE * 1000
        dialer.close()
    finally:
        tcp.counted.cache_clear()


def test_what_counts_as_alive() -> None:
    looks = range(1, int(SILENCE / EVERY) + 3)
    assert stopped(*[Traffic(500, 40 * n, 0) for n in looks]) == (True, False), "a kernel acknowledges for the frozen"
    assert stopped(*[Traffic(500 + 20 * n, 40 * n, 0) for n in looks]) == (False, False), "answers to heartbeats"
    assert stopped(*[Traffic(500, 9000 * n, PING + 1) for n in looks]) == (False, False), "what is sent gets through"
    assert stopped(*[Traffic(500, 9000, PING + 1) for _ in looks]) == (True, False), "nothing gets through"
    assert stopped(*[Traffic(int(2 * ANSWERS * n), 0, 0) for n in looks]) == (False, True), "a message"
