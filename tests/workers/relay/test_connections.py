"""Connections between relays as they are: sockets, keys and ZeroMQ, on this machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
import zmq

from engine.system.clock import MONOTONIC, Clock
from engine.wire import Listener, exchange
from engine.wire import messages as m
from engine.wire.connections import Connections
from engine.wire.keys import Keys, new_pair
from tests.support.fakes import FakeClock
from workers.relay.connections import AGAIN, SharedListener, Sockets
from workers.relay.links import Dial, Expect, Forget, LinkEvent, Met, Present, Said, Tell, Unlink, Unsent
from workers.relay.uplink import ATTEMPT

LARGEST = 100_000
PIECE = exchange.Piece("s", 1, 0, 1)


class Machine:
    """A relay's connections to others, and what has happened to them."""

    def __init__(self, number: int, encrypted: bool, stack: ExitStack, clock: Clock = MONOTONIC) -> None:
        self.number, pair, invited = number, new_pair(), set[str]()
        keys = Keys.make() if encrypted else None
        listener = stack.enter_context(Listener("tcp://127.0.0.1:0", LARGEST, keys, invited=invited if keys else None))
        self.address, self.shared = listener.address, SharedListener(listener)
        self.key = keys.server_public.hex() if keys else ""
        self.own_key = pair.public_hex if keys else ""
        connections = Connections(LARGEST, pair)
        self.links = Sockets(self.shared, connections, invited, not encrypted, clock)
        stack.callback(self.links.close)
        self.links.perform(Present(exchange.Link("s", number)))
        self.seen: list[LinkEvent] = []

    def dial(self, other: "Machine", expected: bool = True) -> None:
        if expected:
            other.links.perform(Expect(self.number, self.own_key))
        self.links.perform(Dial(other.number, other.address, other.key))

    def look(self) -> None:
        assert self.shared.poll(0.0) == [], "who comes in by TCP is another relay"
        self.seen += self.links.events()


def until(machines: Sequence[Machine], holds: Callable[[], object]) -> None:
    """Let machines look at what has happened until something holds."""
    while not holds():
        for machine in machines:
            machine.shared.poll(0.001 if not machine.shared.aside else 0.0)
            machine.look()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def met(one: Machine, other: Machine) -> None:
    one.dial(other)
    until([one, other], lambda: Met(other.number, True) in one.seen)
    one.seen.clear()


@pytest.mark.parametrize("encrypted", [True, False])
def test_each_tells_the_other_by_the_one_connection(stack: ExitStack, encrypted: bool) -> None:
    one, other = (Machine(number, encrypted, stack) for number in (1, 2))
    met(one, other)
    one.links.perform(Tell(2, PIECE, b"there"))
    other.links.perform(Tell(1, PIECE, b"back"))
    until([one, other], lambda: one.seen and other.seen)
    for machine, number, payload in ((one, 2, b"back"), (other, 1, b"there")):
        (said,) = machine.seen
        assert isinstance(said, Said)
        assert (said.number, said.message, bytes(said.payload or b"")) == (number, PIECE, payload)


def calls_of(holder: object, name: str, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what `holder`'s method is called with from now on."""
    calls, method = list[object](), getattr(holder, name)

    def call(*arguments: object) -> object:
        calls.append(arguments)
        return method(*arguments)

    monkeypatch.setattr(holder, name, call)
    return calls


def test_one_that_is_not_expected_yet_is_answered_when_it_is(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Machine(number, False, stack) for number in (1, 2))
    came = calls_of(other.links, "_welcome", monkeypatch)
    one.dial(other, expected=False)
    until([one, other], lambda: came)
    assert one.seen == []
    other.links.perform(Expect(1, ""))
    until([one, other], lambda: Met(2, True) in one.seen)


def test_one_with_another_key_than_was_told_is_not_let_in(stack: ExitStack) -> None:
    clock = FakeClock()
    one, other = Machine(1, True, stack, clock), Machine(2, True, stack)
    other.links.perform(Expect(1, new_pair().public_hex))
    one.dial(other, expected=False)
    clock.time += ATTEMPT
    until([one, other], lambda: one.seen)
    assert one.seen == [Met(2, False)]


def test_one_that_does_not_answer_in_time_counts_as_not_reached_until_it_answers(stack: ExitStack) -> None:
    clock = FakeClock()
    one, other = Machine(1, False, stack, clock), Machine(2, False, stack)
    one.dial(other, expected=False)
    clock.time += ATTEMPT
    until([one], lambda: one.seen)
    assert one.seen == [Met(2, False)]
    other.links.perform(Expect(1, ""))

    def answered() -> bool:
        clock.time += AGAIN
        return Met(2, True) in one.seen

    until([one, other], answered)


def test_one_that_is_gone_is_told_of_and_cannot_be_sent_to(stack: ExitStack) -> None:
    one = Machine(1, False, stack)
    with ExitStack() as of_other:
        other = Machine(2, False, of_other)
        met(one, other)
    until([one], lambda: Met(2, False) in one.seen)
    one.links.perform(Forget(2))
    one.seen.clear()
    one.links.perform(Tell(2, PIECE, b"there"))
    one.look()
    assert one.seen == [Unsent(2)]


def test_one_that_came_and_is_gone_cannot_be_sent_to(stack: ExitStack) -> None:
    other = Machine(2, False, stack)
    with ExitStack() as of_one:
        met(Machine(1, False, of_one), other)
    while not other.seen:
        other.shared.poll(0.001)
        other.links.perform(Tell(1, PIECE, b"there"))
        other.look()
    assert other.seen == [Unsent(1)]


@pytest.mark.parametrize("address", ["tcp://[::1", "tcp://nowhere.invalid:1"])
def test_an_address_that_there_cannot_be(stack: ExitStack, address: str) -> None:
    one = Machine(1, False, stack)
    one.links.perform(Dial(2, address, ""))
    until([one], lambda: one.seen)
    assert one.seen == [Met(2, False)]


def test_what_is_no_address_counts_at_once_as_not_reached(stack: ExitStack) -> None:
    one = Machine(1, False, stack)
    one.links.perform(Dial(2, "nonsense", ""))
    one.look()
    assert one.seen == [Met(2, False)]


def test_one_that_speaks_nonsense_is_not_spoken_to_again(stack: ExitStack) -> None:
    one, other = (Machine(number, False, stack) for number in (1, 2))
    met(one, other)
    other.links._send(1, [b"nonsense"])
    until([one, other], lambda: one.seen)
    assert one.seen == [Met(2, False)]
    assert one.links._connections.numbers() == []


def test_a_stranger_is_not_listened_to(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(1, False, stack)
    refused = calls_of(machine.shared, "refuse", monkeypatch)
    context = stack.enter_context(zmq.Context())
    stranger = stack.enter_context(context.socket(zmq.DEALER))
    stranger.linger = 0
    stranger.connect(machine.address)
    stranger.send_multipart(m.encode(PIECE, b"12345678"))
    stranger.send_multipart([b"nonsense"])
    until([machine], lambda: refused)
    assert machine.seen == []


def test_without_an_exchange_there_is_no_connection(stack: ExitStack) -> None:
    one, other = (Machine(number, False, stack) for number in (1, 2))
    met(one, other)
    for machine in (one, other):
        machine.links.perform(Unlink())
        assert machine.links._connections.numbers() == []
    one.links.perform(Tell(2, PIECE, b"there"))
    one.look()
    assert one.seen == [Unsent(2)]


def test_what_one_says_that_is_forgotten_is_not_heard(stack: ExitStack) -> None:
    one, other = (Machine(number, False, stack) for number in (1, 2))
    met(one, other)
    other.links.perform(Forget(1))
    one.links.perform(Tell(2, PIECE, b"there"))
    while not other.shared.aside:
        other.shared.poll(0.001)
    other.look()
    assert other.seen == []
