"""Several addresses of a coordinator, and what a worker says that reaches none."""

import socket
from collections.abc import Iterator

import pytest

from engine.wire import Dialer, Listener
from engine.wire.address import Address
from engine.wire.keys import Keys
from engine.wire.unreached import OTHER_KEY, PATIENCE, SILENT, reasons_of
from tests.support.fakes import FakeClock

LARGEST = 1000
KEYS, OTHER = Keys.make(), Keys.make()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener("tcp://127.0.0.1:0", LARGEST, KEYS) as listener:
        yield listener


def both(listener: Listener, dialer: Dialer) -> None:
    """Let both ends do what there is to do."""
    listener.poll(0.01)
    dialer.poll(0.01)


def port_of(listener: Listener) -> int:
    return Address.parse(listener.address).port


def test_the_first_that_has_the_key_is_the_one(listener: Listener) -> None:
    port = port_of(listener)
    with socket.create_server(("127.0.0.2", port)):  # takes connections, and says nothing
        dialer = Dialer(f"tcp://127.0.0.2,127.0.0.3,127.0.0.1:{port}", LARGEST, KEYS)
        while not dialer.connected():
            both(listener, dialer)
        dialer.send([b"hello"])
        received = listener.poll(20)
        assert [bytes(frame) for frame in received[0].frames] == [b"hello"]
        listener.send(received[0].peer, [b"welcome"])
        while (answer := dialer.poll(1)) is None:
            listener.poll(0.01)
        assert bytes(answer[0]) == b"welcome"
        dialer.close()


def test_one_that_is_lost_is_looked_for_at_every_address() -> None:
    with Listener("tcp://127.0.0.1:0", LARGEST, KEYS) as listener:
        port = port_of(listener)
        dialer = Dialer(f"tcp://127.0.0.2,127.0.0.1:{port}", LARGEST, KEYS)
        while not dialer.connected():
            both(listener, dialer)
    with Listener(f"tcp://127.0.0.2:{port}", LARGEST, KEYS) as other:
        while not dialer.connected():
            both(other, dialer)
        dialer.send([b"again"])
        assert other.poll(20)
        dialer.close()


@pytest.mark.parametrize("key", [OTHER, None])
def test_what_is_said_once_where_nobody_is_reached(listener: Listener, key: Keys | None) -> None:
    clock, said = FakeClock(), list[str]()
    port = port_of(listener)
    dialer = Dialer(f"tcp://127.0.0.1,127.0.0.9,no.such.host.invalid:{port}", LARGEST, key, said.append, clock)
    both(listener, dialer)
    assert not said
    clock.time += PATIENCE
    while not said:
        both(listener, dialer)
    clock.time += 10 * PATIENCE
    both(listener, dialer)
    dialer.close()
    [text] = said
    assert text.startswith("no coordinator was reached yet, and it is tried on: ")
    assert f"tcp://127.0.0.9:{port}: nothing listens there (connection refused)" in text
    assert f"tcp://no.such.host.invalid:{port}: the name no.such.host.invalid is not known here" in text
    assert (f"tcp://127.0.0.1:{port}: {OTHER_KEY}" in text) == (key is not None)


def test_one_that_was_reached_has_nothing_to_say(listener: Listener) -> None:
    clock, said = FakeClock(), list[str]()
    dialer = Dialer(listener.address, LARGEST, KEYS, said.append, clock)
    while not dialer.connected():
        both(listener, dialer)
    clock.time += 10 * PATIENCE
    both(listener, dialer)
    dialer.close()
    assert not said


def test_a_silent_address() -> None:
    """A server whose queue is full does not answer, as where a firewall drops what comes in."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        assert reasons_of([Address("127.0.0.1", port)], "connected", 0.2) == [SILENT]
        for one in waiting:
            one.close()
