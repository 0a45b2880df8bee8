"""Addresses: tcp://HOST:PORT, as people write them, and two kinds for one machine.

Those are unix://PATH, a socket of packets, and ipc://PATH, a socket of ZeroMQ.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Self

from engine.errors import UsageError

EVERYWHERE = {"*": "0.0.0.0", "::": "::", "0.0.0.0": "0.0.0.0"}  # noqa: S104 - hosts that stand for every interface
LOCAL_PACKETS, LOCAL_ZEROMQ = "unix://", "ipc://"
ELSEWHERE = ("192.0.2.1", 9)  # TEST-NET-1, RFC 5737: an address that nothing has


@dataclass(frozen=True)
class Address:
    """A host (name, IPv4 or IPv6 address, or * for every interface) and a port; port 0: any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that `text` stands for; UsageError if it is not one."""
        found = re.fullmatch(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+|\*):([0-9]{1,5})", text)
        if not found or int(found[2]) > 0xFFFF:
            raise UsageError(f"{text!r:.100} is not an address; try tcp://HOST:PORT, with a port from 0 to 65535")
        return cls(found[1].strip("[]"), int(found[2]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    def numeric(self) -> "Address":
        """Return the address with the host as a number; UsageError if the name is unknown."""
        if self.host in EVERYWHERE:
            return Address(EVERYWHERE[self.host], self.port)
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise UsageError(f"the host {self.host!r} of {self} is unknown: {error.strerror}") from None
        return Address(str(found[0][4][0]), self.port)

    def is_loopback(self) -> bool:
        """Return whether only processes of this machine can be at the other end."""
        try:
            return ipaddress.ip_address(self.numeric().host).is_loopback
        except (UsageError, ValueError):  # an unknown host, or one with a zone
            return False

    def for_others(self) -> "Address":
        """Return the address by which other machines reach what is bound here."""
        return Address(_outward(), self.port) if self.host in EVERYWHERE else self


def is_local(address: str) -> bool:
    """Return whether an address is that of a socket file on this machine."""
    return address.startswith((LOCAL_PACKETS, LOCAL_ZEROMQ))


def path_of_local(address: str) -> str:
    """Return the path of the socket file that a local address names."""
    return address.partition("://")[2]


def network_of(host: str) -> str:
    """Return what counts as one origin: an IPv4 address, or the 64 bits of an IPv6 address that one site has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


def _outward() -> str:
    """Return the address of this machine from which packets to others leave; none is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:  # no route to anywhere
            return socket.gethostname()
        return str(probe.getsockname()[0])
