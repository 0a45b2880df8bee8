"""Hosts of a coordinator by name: with several addresses, not known at first, and what is said of them."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.wire import Dialer, Listener
from engine.wire.address import Address
from engine.wire.look import NO_KEYS, Look, look_at
from engine.wire.names import AGAIN, AT_MOST, Names
from tests.support.fakes import FakeClock

LARGEST = 1000
REFUSED = "nothing listens there (connection refused)"
Known = dict[str, list[str]]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    """Names, and their addresses, which a test may change; no name server is asked."""
    known, ask = Known(), socket.getaddrinfo

    def answer(host: str, *words: Any, **more: Any) -> list[Any]:
        if host.endswith(".test") and host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for one in known.get(host, [host]) for found in ask(one, *words, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener("tcp://127.0.0.1:0", LARGEST) as listener:
        yield listener


def until(holds: Callable[[], bool], dialer: Dialer, listener: Listener) -> None:
    while not holds():
        dialer.poll(0.01)
        listener.poll(0.01)


def test_each_address_of_a_name_is_tried(known: Known, listener: Listener) -> None:
    port = Address.parse(listener.address).port
    known["two.test"] = ["127.0.0.2", "127.0.0.1"]
    dialer = Dialer(f"tcp://two.test:{port}", LARGEST, clock=FakeClock())
    assert not dialer.unwelcome
    until(dialer.connected, dialer, listener)
    assert dialer.reached == listener.address
    dialer.close()


def test_of_both_families(known: Known) -> None:
    try:
        six = Listener("tcp://[::1]:0", LARGEST)
    except Exception as error:  # noqa: BLE001 - whatever it is that has no IPv6
        pytest.skip(f"no IPv6 here: {error}")
    known["dual.test"] = ["127.0.0.1", "::1"]
    with six:
        dialer = Dialer(f"tcp://dual.test:{Address.parse(six.address).port}", LARGEST, clock=FakeClock())
        until(dialer.connected, dialer, six)
        assert dialer.reached == six.address
        dialer.close()


def test_a_name_that_is_known_later(known: Known, listener: Listener) -> None:
    clock = FakeClock()
    dialer = Dialer(f"tcp://late.test:{Address.parse(listener.address).port}", LARGEST, clock=clock)
    assert not dialer.unwelcome
    assert dialer.poll(0) is None
    known["late.test"] = ["127.0.0.1"]

    def connected() -> bool:
        clock.time += AGAIN
        return dialer.connected()

    until(connected, dialer, listener)
    dialer.close()


def test_when_a_coordinator_moves_its_name_is_asked_for_again(known: Known) -> None:
    clock = FakeClock()
    with Listener("tcp://127.0.0.1:0", LARGEST) as first:
        port = Address.parse(first.address).port
        known["moves.test"] = ["127.0.0.1"]
        dialer = Dialer(f"tcp://moves.test:{port}", LARGEST, clock=clock)
        until(dialer.connected, dialer, first)
    known["moves.test"] = ["127.0.0.2"]
    with Listener(f"tcp://127.0.0.2:{port}", LARGEST) as second:

        def connected() -> bool:
            clock.time += AGAIN
            return dialer.connected()

        until(connected, dialer, second)
        assert dialer.reached == second.address
        dialer.close()


def test_what_is_known_of_names(known: Known) -> None:
    clock = FakeClock()
    known["many.test"] = [f"127.0.1.{n}" for n in range(100)]
    names = Names(["tcp://many.test:5", "tcp://10.0.0.1:5", "tcp://none.test:5", "ipc:///x"], clock)
    settle(names)
    assert len(names.addresses) == AT_MOST + 2
    assert names.addresses[-2:] == ["tcp://10.0.0.1:5", "ipc:///x"]
    known["many.test"] = ["127.0.0.1"]
    names.look()
    settle(names)
    assert len(names.addresses) == AT_MOST + 2, "it is too early to ask again"
    clock.time += AGAIN
    names.look()
    settle(names)
    assert names.addresses == ["tcp://127.0.0.1:5", "tcp://10.0.0.1:5", "ipc:///x"]
    del known["many.test"]
    clock.time += AGAIN
    names.look()
    settle(names)
    assert names.addresses[0] == "tcp://127.0.0.1:5", "a name server that is down takes nothing away"


def settle(names: Names) -> None:
    """Wait for the answer that is on its way."""
    assert names._thread
    names._thread.join()


def test_what_a_look_at_a_name_finds(known: Known, listener: Listener) -> None:
    port = Address.parse(listener.address).port
    known["two.test"], known["neither.test"] = ["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "127.0.0.3"]
    looks = look_at([Address(f"{name}.test", port) for name in ("two", "neither", "unknown")], 60)
    assert looks[0] == Look(mechanism=NO_KEYS)
    assert looks[1] == Look(f"127.0.0.2: {REFUSED}, 127.0.0.3: {REFUSED}")
    assert looks[2] == Look("the name unknown.test is not known here")
