"""A look at an address from outside: whether it takes connections, and how who listens there greets."""

import errno
import os
import select
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.system.clock import MONOTONIC
from engine.wire.address import Address
from engine.wire.names import AT_MOST

ANSWER = 4.0  # seconds that an address has to answer; what is said is said within 10 s of the start
REASONS = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.ENETUNREACH: "this machine has no route to it",
    errno.EHOSTUNREACH: "this machine has no route to it, or a firewall says no",
    errno.EACCES: "a firewall of this machine says no",
    errno.EPERM: "a firewall of this machine says no",
}
SILENT = "no answer: another network, or a firewall on the way"
# ZMTP 3 (rfc.zeromq.org/spec/23): both ends greet with a signature, a version, and the name of their mechanism. Who
# says no more than the version is told the rest: an end that has read of another mechanism says nothing of its own.
GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"
MECHANISM = slice(12, 32)
NO_KEYS, CURVE = "NULL", "CURVE"  # mechanisms


@dataclass(frozen=True)
class Look:
    """`failed`: why there was no connection, "" if there was. `mechanism`: "" where nobody greets as ZeroMQ does."""

    failed: str = ""
    mechanism: str = ""


def look_at(addresses: Sequence[Address], answer: float = ANSWER) -> list[Look]:
    """Return what a plain TCP connection to each address comes to, within `answer` seconds together.

    Of a name with several addresses one counts that takes connections, and if none does, all are in `failed`.
    """
    each = [_all_of(address) for address in addresses]
    looks = iter(_look_at([one for all_of_one in each for one in all_of_one], answer))
    return [
        _of_name(address, all_of_one, [next(looks) for _ in all_of_one])
        for address, all_of_one in zip(addresses, each, strict=True)
    ]


def _all_of(address: Address) -> list[Address]:
    try:
        return address.all_numeric()[:AT_MOST]
    except (UsageError, OSError):  # an unknown name, or an interface that has gone
        return []


def _of_name(address: Address, all_of_one: Sequence[Address], looks: Sequence[Look]) -> Look:
    """Return what the looks at all addresses of a name come to."""
    if not looks:
        return Look(f"the name {address.host} is not known here")
    if good := [look for look in looks if not look.failed]:
        return max(good, key=lambda look: bool(look.mechanism))
    if len(looks) == 1:
        return looks[0]
    return Look(", ".join(f"{one.host}: {look.failed}" for one, look in zip(all_of_one, looks, strict=True)))


def _look_at(addresses: Sequence[Address], answer: float) -> list[Look]:
    """Return what a plain TCP connection to each address, in numbers, comes to."""
    found: dict[int, Look] = {}
    connecting: dict[socket.socket, int] = {}
    for number, address in enumerate(addresses):
        try:
            connecting[_connecting(address)] = number
        except OSError as error:
            found[number] = Look(_reason(error.errno))
    greeted: dict[socket.socket, bytes] = {}
    numbers = dict(connecting)
    until = MONOTONIC.now() + answer
    while (connecting or greeted) and (left := until - MONOTONIC.now()) > 0:
        ready = _ready(greeted, connecting, left)
        connected, answered = ([one for one in some if one.fileno() in ready] for some in (connecting, greeted))
        for one in connected:
            number = connecting.pop(one)
            found[number] = _greet(one)
            if not found[number].failed:
                greeted[one] = b""
        for one in answered:
            greeted[one] += (more := _read(one))
            if not more or len(greeted[one]) >= MECHANISM.stop:
                found[numbers[one]] = Look(mechanism=_mechanism(greeted.pop(one)))
    for one in numbers:
        one.close()
    return [found.get(number, Look(SILENT)) for number in range(len(addresses))]


def _ready(greeted: Iterable[socket.socket], connecting: Iterable[socket.socket], timeout: float) -> set[int]:
    """Return the descriptors of those that have an answer or are connected; `select` takes none from 1024 on."""
    poll = select.poll()
    for one in greeted:
        poll.register(one, select.POLLIN)
    for one in connecting:
        poll.register(one, select.POLLOUT)
    return {number for number, _ in poll.poll(1000 * timeout)}


def _connecting(address: Address) -> socket.socket:
    """Return a socket that is connecting; OSError if that fails at once."""
    made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
    made.setblocking(False)
    code = made.connect_ex(address.name())
    if code not in (0, errno.EINPROGRESS):
        made.close()
        raise OSError(code, os.strerror(code))
    return made


def _greet(connected: socket.socket) -> Look:
    """Send the beginning of a greeting, and return what is known then."""
    if code := connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return Look(_reason(code))
    try:
        connected.send(GREETING)
    except OSError as error:
        return Look(_reason(error.errno))
    return Look()


def _read(greeted: socket.socket) -> bytes:
    """Return what has come in; nothing if there will be no more."""
    try:
        return greeted.recv(MECHANISM.stop)
    except OSError:
        return b""


def _mechanism(greeting: bytes) -> str:
    """Return the mechanism that a greeting names, "" if it is none or has not come to that."""
    if len(greeting) < MECHANISM.stop or greeting[0] != GREETING[0]:
        return ""
    return greeting[MECHANISM].rstrip(b"\0").decode("ascii", "replace")


def _reason(code: int | None) -> str:
    return REASONS.get(code or 0) or os.strerror(code or 0)
