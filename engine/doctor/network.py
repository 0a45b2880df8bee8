"""Whether this machine reaches a coordinator: names, routes, ports, keys."""

import socket
from collections.abc import Iterator

from engine.doctor.finding import Finding
from engine.errors import UsageError
from engine.system.clock import MONOTONIC
from engine.system.interfaces import own_hosts
from engine.wire import Dialer
from engine.wire.address import Address, coordinator_addresses
from engine.wire.keys import Keys
from engine.wire.look import look_at
from engine.wire.unreached import unwelcome

HANDSHAKE = 5.0  # seconds
LARGEST = 1 << 20  # bytes of a message; none is taken


def findings(address: str, keys: Keys | None) -> Iterator[Finding]:
    """Look at one thing after the other; `keys` are those to join with, None if there are to be none."""
    addresses = coordinator_addresses(address)
    numeric = []
    for one in addresses:
        try:
            numeric.append(one.numeric())
        except UsageError as error:
            yield Finding("name", False, f"{error}; try its number, or ask whoever runs the network")
        else:
            yield Finding("name", True, f"{one.host} is {numeric[-1].host}")
    yield from map(_route, numeric)
    looks = look_at(numeric)
    open_ones = [look for look in looks if not look.failed]
    for one, look in zip(numeric, looks, strict=True):
        if look.failed:
            harmless = "; that does no harm, since another is reached" if open_ones else ""
            yield Finding("port", bool(open_ones), f"{one}: {look.failed}{harmless}")
        else:
            yield Finding("port", True, f"{one} takes connections")
    if open_ones:
        yield _keys(address, keys, unwelcome(open_ones, bool(keys)))


def _route(address: Address) -> Finding:
    """Find out from which of our addresses packets to `address` leave; none is sent."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address.host, address.port or 9))
            return Finding("route", True, f"to {address.host} from {probe.getsockname()[0]}")
    except OSError as error:
        ours = ", ".join(own_hosts()) or "none but the loopback"
        return Finding("route", False, f"none to {address.host} ({error.strerror}); our addresses are {ours}")


def _keys(address: str, keys: Keys | None, other: str) -> Finding:
    """Find out whether the coordinator proves that it has the key; `other` says why it never will, if that is known."""
    if other:
        return Finding("key", False, f"the coordinator {other}")
    dialer = Dialer(address, LARGEST, keys)
    try:
        until = MONOTONIC.now() + HANDSHAKE
        while (left := until - MONOTONIC.now()) > 0 and not dialer.unwelcome:
            dialer.poll(left)
            if dialer.connected():
                return Finding("key", True, "the coordinator has it" if keys else "none is wanted")
    finally:
        dialer.close()
    return Finding("key", False, _advice(dialer.unwelcome, keys))


def _advice(unwelcome: str, keys: Keys | None) -> str:
    if unwelcome:
        return f"the coordinator {unwelcome}"
    return (
        "who listens there has another key: copy the key file of this run" if keys else "no coordinator listens there"
    )
