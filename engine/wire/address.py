"""Addresses: tcp://HOST:PORT, as people write them, and two kinds for one machine.

TCP: with several hosts, a range of ports, or an interface's name. One machine: unix://PATH, a socket of packets, and
ipc://PATH, a socket of ZeroMQ.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any, Self

from engine.errors import UsageError
from engine.system.interfaces import interfaces, own_hosts

EVERYWHERE = {"*": "0.0.0.0", "::": "::", "0.0.0.0": "0.0.0.0"}  # noqa: S104 - hosts that stand for every interface
LABEL = "[A-Za-z0-9_-]{1,63}"  # Python's getaddrinfo raises UnicodeError for an empty one, and for a longer one
ZONE = r"(?:%[A-Za-z0-9_.-]{1,15})?"  # the interface at which an address of IPv6 is that holds on one link only
HOST = rf"(?:\[[0-9A-Fa-f:.]+{ZONE}\]|{LABEL}(?:\.{LABEL})*\.?)"
LOCAL_PACKETS, LOCAL_ZEROMQ = "unix://", "ipc://"


@dataclass(frozen=True)
class Address:
    """A host (name, IPv4 or IPv6 address, or * for every interface) and a port; port 0: any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that `text` stands for; UsageError if it is not one."""
        found = re.fullmatch(rf"tcp://({HOST}|\*):([0-9]{{1,5}})", text)
        if not found or int(found[2]) > 0xFFFF:
            raise UsageError(f"{text!r:.100} is not an address; try tcp://HOST:PORT, with a port from 0 to 65535")
        host = found[1].strip("[]")
        if _needs_zone(host):
            raise UsageError(
                f"{text!r:.100} holds on one link only, and needs the interface of this machine at which that is: "
                f"try tcp://[{host}%eth0]:{found[2]}, with the interface's name for eth0"
            )
        return cls(host, int(found[2]))

    def __str__(self) -> str:
        return join([self.host], self.port)

    def is_name(self) -> bool:
        """Return whether the host is a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return self.host not in EVERYWHERE
        return False

    def numeric(self) -> "Address":
        """Return the address with the host as a number; UsageError if the name is unknown."""
        return self.all_numeric()[0]

    def all_numeric(self) -> "list[Address]":
        """Return the address with each number of the host, the likeliest first; UsageError if the name is unknown."""
        if self.host in EVERYWHERE:
            return [Address(everywhere(self.host), self.port)]
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise UsageError(f"the host {self.host!r} of {self} is unknown: {error.strerror}") from None
        return [Address(host, self.port) for host in dict.fromkeys(_host_in(name) for *_, name in found)]

    def name(self) -> Any:
        """Return the name of a socket there, as Python takes it; the host is in numbers, perhaps with a zone."""
        return socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4]

    def is_loopback(self) -> bool:
        """Return whether only processes of this machine can be at the other end."""
        try:
            return ipaddress.ip_address(self.numeric().host).is_loopback
        except (UsageError, ValueError):  # an unknown host
            return False

    def hosts_for_others(self) -> list[str]:
        """Return the hosts by which other machines may reach what is bound here, the likeliest first."""
        if self.host not in EVERYWHERE:
            return [self.host]
        six = everywhere(self.host) == "::"
        return [host for host in own_hosts() if (":" in host) == six] or [socket.gethostname()]


def _needs_zone(host: str) -> bool:
    """Return whether a host is an address of IPv6 that says nothing without the zone that it lacks."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return isinstance(address, ipaddress.IPv6Address) and address.is_link_local and not address.scope_id


def _host_in(name: tuple[Any, ...]) -> str:
    """Return the host in the name of a socket, as Python gives it: in IPv6 with the zone, if there is one."""
    zone = name[3] if len(name) > 3 else 0
    return f"{name[0]}%{socket.if_indextoname(zone)}" if zone and "%" not in name[0] else str(name[0])


def everywhere(host: str) -> str:
    """Return what a socket is bound to for one of EVERYWHERE; * is for IPv6 where this machine has nothing else."""
    hosts = own_hosts() if host == "*" else []
    return "::" if hosts and all(":" in one for one in hosts) else EVERYWHERE[host]


def join(hosts: list[str], port: int) -> str:
    """Return the address of a coordinator that has these hosts."""
    return f"tcp://{','.join(f'[{host}]' if ':' in host else host for host in hosts)}:{port}"


def coordinator_addresses(text: str) -> list[Address]:
    """Return the addresses of tcp://HOST,HOST,...:PORT, one for each host; UsageError if that is not what it is."""
    found = re.fullmatch(rf"tcp://({HOST}(?:,{HOST})+):([0-9]{{1,5}})", text)
    if not found:
        return [Address.parse(text)]
    return [Address.parse(f"tcp://{host}:{found[2]}") for host in dict.fromkeys(found[1].split(","))]


def places_to_listen(text: str) -> list[Address]:
    """Return where to listen, the first of these that is free: `text` is an address or INTERFACE:PORT.

    The port may be a range, 5000-5100. UsageError if `text` is neither, or there is no such interface.
    """
    found = re.fullmatch(rf"(?:tcp://({HOST}|\*)|([A-Za-z0-9_.@-]+)):([0-9]{{1,5}})-([0-9]{{1,5}})", text)
    if found:
        low, high = int(found[3]), int(found[4])
        if not 1 <= low <= high <= 0xFFFF:
            raise UsageError(f"{text!r:.100}: a range of ports goes up, from 1 to 65535 at most")
        first = places_to_listen(text.removesuffix(f"{found[3]}-{found[4]}") + found[3])[0]
        return [Address(first.host, port) for port in range(low, high + 1)]
    named = re.fullmatch(r"([A-Za-z0-9_.@-]+):([0-9]{1,5})", text)
    if named and int(named[2]) <= 0xFFFF:
        return [Address(_host_of(named[1], text), int(named[2]))]
    return [Address.parse(text)]


def _host_of(interface: str, text: str) -> str:
    """Return the address of a network interface; UsageError with those that there are."""
    there = interfaces()
    hosts = sorted((one.host for one in there if one.name == interface), key=lambda host: ":" in host)
    if hosts:
        return hosts[0]
    known = ", ".join(f"{one.name} ({one.host})" for one in there)
    raise UsageError(
        f"there is no network interface {interface!r:.40} with an address here, but {known}; "
        f"if it is a host, write tcp://{text}"
    )


def is_local(address: str) -> bool:
    """Return whether an address is that of a socket file on this machine."""
    return address.startswith((LOCAL_PACKETS, LOCAL_ZEROMQ))


def path_of_local(address: str) -> str:
    """Return the path of the socket file that a local address names."""
    return address.partition("://")[2]


def path_or_port(address: str) -> str | int:
    """Return the path of a local address, the port of any other."""
    return path_of_local(address) if is_local(address) else int(address.rpartition(":")[2])


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
