"""Several addresses of a coordinator, and what a worker says that reaches none."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from engine.wire import Dialer, Listener
from engine.wire.address import Address
from engine.wire.keys import Keys
from engine.wire.look import CURVE, NO_KEYS, SILENT, Look, look_at
from engine.wire.unreached import AGAIN, INSECURE, NO_COORDINATOR, NO_KEY, OTHER_KEY, PATIENCE, unwelcome
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


def test_what_is_said_once_where_nobody_is_reached(listener: Listener) -> None:
    clock, said = FakeClock(), list[str]()
    port = port_of(listener)
    dialer = Dialer(f"tcp://127.0.0.1,127.0.0.9,no.such.host.invalid:{port}", LARGEST, OTHER, said.append, clock)
    both(listener, dialer)
    assert not said
    clock.time += PATIENCE
    while not said:
        both(listener, dialer)
    clock.time += 10 * PATIENCE
    both(listener, dialer)
    dialer.close()
    [text] = said
    assert text.startswith("no coordinator has been reached yet; still trying: ")
    assert f"tcp://127.0.0.9:{port}: nothing listens there (connection refused)" in text
    assert f"tcp://no.such.host.invalid:{port}: the name no.such.host.invalid is not known here" in text
    assert f"tcp://127.0.0.1:{port}: {OTHER_KEY}" in text


def test_one_that_was_reached_has_nothing_to_say(listener: Listener) -> None:
    clock, said = FakeClock(), list[str]()
    dialer = Dialer(listener.address, LARGEST, KEYS, said.append, clock)
    while not dialer.connected():
        both(listener, dialer)
    clock.time += 10 * PATIENCE
    both(listener, dialer)
    dialer.close()
    assert not said


def test_what_is_said_when_another_run_has_the_address() -> None:
    """A worker waits for the next run of its coordinator, whose key is another one."""
    clock, said = FakeClock(), list[str]()
    listener = Listener("tcp://127.0.0.1:0", LARGEST, KEYS)
    dialer = Dialer(listener.address, LARGEST, KEYS, said.append, clock)
    while not dialer.connected():
        both(listener, dialer)
    listener.close()
    while not dialer.lost():
        dialer.poll(0.01)
    for reason in ("nothing listens there (connection refused)", OTHER_KEY):
        clock.time += AGAIN
        while not said:
            dialer.poll(0.01)
        assert said.pop() == f"the connection was lost; trying again: {listener.address}: {reason}"
        if reason != OTHER_KEY:
            second = Listener(listener.address, LARGEST, OTHER)
    clock.time += AGAIN
    both(second, dialer)
    second.close()
    dialer.close()
    assert not said


def test_each_outage_is_told_of() -> None:
    clock, said = FakeClock(), list[str]()
    listener = Listener("tcp://127.0.0.1:0", LARGEST, KEYS)
    dialer = Dialer(listener.address, LARGEST, KEYS, said.append, clock)
    for _ in range(2):
        while not dialer.connected():
            both(listener, dialer)
        listener.close()
        while not dialer.lost():
            dialer.poll(0.01)
        clock.time += PATIENCE
        while not said:
            dialer.poll(0.01)
        clock.time += AGAIN
        dialer.poll(0.01)
        assert len(said) == 1
        assert said.pop().startswith("the connection was lost")
        listener = Listener(listener.address, LARGEST, KEYS)
    listener.close()
    dialer.close()


def test_a_silent_address() -> None:
    """A server whose queue is full does not answer, as where a firewall drops what comes in."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        assert look_at([Address("127.0.0.1", port)], 0.2) == [Look(SILENT)]
        for one in waiting:
            one.close()


@pytest.mark.parametrize(("keys", "mechanism"), [(KEYS, CURVE), (None, NO_KEYS)])
def test_how_a_coordinator_greets(keys: Keys | None, mechanism: str) -> None:
    """It need not have begun to poll: its I/O thread does it."""
    with Listener("tcp://127.0.0.1:0", LARGEST, keys) as listener:
        assert look_at([Address.parse(listener.address)], 60) == [Look(mechanism=mechanism)]


@pytest.fixture
def first_to_hang_up() -> Iterator[str]:
    """The address of a coordinator without keys that always ends a connection of another mechanism first.

    A worker with keys begins with a signature of 10 bytes; one byte more is all that a look at it says. A coordinator
    that has not greeted yet when it reads of the other mechanism does the same.
    """

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # it is shut down
                return
            with connection:
                if len(connection.recv(64)) == 11:
                    connection.sendall(bytes([0xFF, *[0] * 7, 1, 0x7F, 3, 1]) + b"NULL".ljust(20, b"\0") + bytes(32))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, args=(server,))
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_one_without_keys_that_hangs_up_first(first_to_hang_up: str) -> None:
    clock, said = FakeClock(), list[str]()
    dialer = Dialer(first_to_hang_up, LARGEST, KEYS, said.append, clock)
    assert not dialer.unwelcome
    clock.time += PATIENCE
    while not dialer.unwelcome:
        dialer.poll(0.01)
    dialer.close()
    assert dialer.unwelcome == INSECURE
    assert not said


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"])
def test_something_else_listens_there(greeting: bytes) -> None:
    clock, said = FakeClock(), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        dialer = Dialer(f"tcp://127.0.0.1:{port}", LARGEST, KEYS, said.append, clock)
        clock.time += PATIENCE
        server.settimeout(0.01)
        while not said:
            dialer.poll(0.01)
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.sendall(greeting)
        dialer.close()
    assert said == [f"no coordinator has been reached yet; still trying: tcp://127.0.0.1:{port}: {NO_COORDINATOR}"]


def test_a_worker_is_unwelcome_where_none_may_admit_it() -> None:
    keyless, keyed, silent = Look(mechanism=NO_KEYS), Look(mechanism=CURVE), Look(SILENT)
    assert (unwelcome([keyless], True), unwelcome([keyed, keyed], False)) == (INSECURE, NO_KEY)
    for looks, with_key in (([keyless, keyed], True), ([keyed, silent], False), ([keyed], True), ([keyless], False)):
        assert not unwelcome(looks, with_key)


def test_without_a_key_the_address_that_wants_one_is_told(listener: Listener) -> None:
    clock, said = FakeClock(), list[str]()
    port = port_of(listener)
    dialer = Dialer(f"tcp://127.0.0.1,127.0.0.9:{port}", LARGEST, None, said.append, clock)
    clock.time += PATIENCE
    while not said:
        both(listener, dialer)
    dialer.close()
    assert f"tcp://127.0.0.1:{port}: it {NO_KEY}; tcp://127.0.0.9:{port}: nothing listens there" in said[0]
