"""Who is admitted, as ZeroMQ asks it (rfc.zeromq.org/spec/27): by the kind of socket, the mechanism and the key."""

from collections.abc import Callable, Iterator

import pytest
import zmq

from engine.wire.admission import Admission
from engine.wire.keys import LOCAL_DOMAIN, LOCKED_DOMAIN, OPEN_DOMAIN
from engine.wire.zap import Gatekeeper
from tests.support.fakes import FakeClock

KEY, OTHER = bytes(range(32)), bytes(32)
ADDRESS = "127.0.0.1"
YES, LATER, NEVER = b"200", b"300", b"400"

Ask = Callable[..., tuple[bytes, bytes]]


@pytest.fixture
def admission() -> Admission:
    return Admission(FakeClock())


@pytest.fixture
def ask(admission: Admission) -> Iterator[Ask]:
    """Return a function that asks, and returns the status and the user id."""
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        gatekeeper = Gatekeeper(context, admission)
        client.connect("inproc://zeromq.zap.01")

        def question(domain: bytes, mechanism: bytes, *credentials: bytes) -> tuple[bytes, bytes]:
            client.send_multipart([b"1.0", b"7", domain, ADDRESS.encode(), b"", mechanism, *credentials])
            gatekeeper.answer()
            version, request, status, _, user, _ = client.recv_multipart()
            assert (version, request) == (b"1.0", b"7")
            return status, user

        yield question
        gatekeeper.close()


def test_with_the_right_mechanism_each_kind_of_socket_admits(ask: Ask) -> None:
    assert ask(LOCAL_DOMAIN, b"NULL") == (YES, b"")
    assert ask(OPEN_DOMAIN, b"NULL") == (YES, b"")
    assert ask(LOCKED_DOMAIN, b"CURVE", KEY) == (YES, KEY.hex().encode())


@pytest.mark.parametrize(
    ("domain", "mechanism", "credentials"),
    [
        (LOCKED_DOMAIN, b"NULL", ()),
        (LOCKED_DOMAIN, b"PLAIN", (b"name", b"password")),
        (OPEN_DOMAIN, b"CURVE", (KEY,)),
        (OPEN_DOMAIN, b"PLAIN", (b"name", b"password")),
        (LOCAL_DOMAIN, b"CURVE", (KEY,)),
        (b"", b"NULL", ()),
    ],
)
def test_with_another_mechanism_or_at_another_socket_nobody_is_admitted(
    ask: Ask, domain: bytes, mechanism: bytes, credentials: tuple[bytes, ...]
) -> None:
    assert ask(domain, mechanism, *credentials) == (NEVER, b"")


def test_a_key_that_was_refused_may_come_later_and_one_that_was_expelled_never(ask: Ask, admission: Admission) -> None:
    admission.refuse(ADDRESS, KEY.hex())
    admission.expel("10.0.0.1", OTHER.hex())
    assert ask(LOCKED_DOMAIN, b"CURVE", KEY) == (LATER, b"")
    assert ask(LOCKED_DOMAIN, b"CURVE", OTHER) == (NEVER, b"")
