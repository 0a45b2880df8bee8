"""Whether this machine reaches a coordinator: names, routes, ports, keys."""

import socket
from collections.abc import Iterator
from dataclasses import replace

from engine.doctor.finding import Finding
from engine.errors import UsageError
from engine.system.clock import MONOTONIC
from engine.system.interfaces import own_hosts
from engine.wire import Dialer
from engine.wire.address import Address, coordinator_addresses
from engine.wire.keys import Keys
from engine.wire.look import Look, look_at
from engine.wire.unreached import unwelcome

HANDSHAKE = 5.0  # seconds
LARGEST = 1 << 20  # bytes of a message; none is taken


def findings(address: str, keys: Keys | None) -> Iterator[Finding]:
    """Look at one thing after the other; `keys` are those to join with, None if there are to be none."""
    names, numeric = list[Finding](), list[Address]()
    for one in coordinator_addresses(address):
        try:
            found = one.all_numeric()
        except UsageError as error:
            names.append(Finding("name", False, f"{error}; try its IP address, or ask the network administrator"))
        else:
            numeric += found
            names.append(Finding("name", True, f"{one.host} is {', '.join(number.host for number in found)}"))
    looks = look_at(numeric)
    open_ones = [look for look in looks if not look.failed]
    all_found = [*names, *map(_route, numeric), *(_port(one, look) for one, look in zip(numeric, looks, strict=True))]
    yield from (one if one.good or not open_ones else _harmless(one) for one in all_found)
    if open_ones:
        yield _keys(address, keys, unwelcome(open_ones, bool(keys)))


def _harmless(finding: Finding) -> Finding:
    return replace(finding, good=True, text=f"{finding.text}; that does no harm, since another is reached")


def _port(address: Address, look: Look) -> Finding:
    return Finding(
        "port", not look.failed, f"{address}: {look.failed}" if look.failed else f"{address} takes connections"
    )


def _route(address: Address) -> Finding:
    """Find out from which of our addresses packets to `address` leave; none is sent."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(replace(address, port=address.port or 9).name())
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
