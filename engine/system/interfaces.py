"""The network interfaces of this machine and their addresses: getifaddrs(3), which Python does not offer."""

import ctypes
import ipaddress
import socket
import sys
from dataclasses import dataclass

VIRTUAL = ("docker", "br-", "virbr", "veth", "cni", "flannel", "podman")  # bridges to containers: seldom reached
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}  # RFC 5737 and 3849: nothing has these
UP = 1  # IFF_UP, <net/if.h>


@dataclass(frozen=True)
class Interface:
    """One address of an interface, as a number, without a zone."""

    name: str
    host: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.host).is_loopback


class _Entry(ctypes.Structure):
    """struct ifaddrs; addresses are kept as pointers, since their size depends on the family."""


_Entry._fields_ = [
    ("next", ctypes.POINTER(_Entry)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
    ("mask", ctypes.c_void_p),
    ("other", ctypes.c_void_p),
    ("data", ctypes.c_void_p),
]


def interfaces() -> list[Interface]:
    """Return the addresses of the interfaces that are up, in the system's order; OSError if it does not tell.

    Those of IPv6 that hold on one link only are left out: they are of no use without a zone.
    """
    library = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Entry)()
    if library.getifaddrs(ctypes.byref(first)):
        raise OSError(ctypes.get_errno(), "getifaddrs failed")
    found = []
    entry = first
    while entry:
        item = entry.contents
        if item.flags & UP and item.address and (host := _host(item.address)):
            found.append(Interface(item.name.decode(), host))
        entry = item.next
    library.freeifaddrs(first)
    return found


def own_hosts() -> list[str]:
    """Return this machine's addresses by which others may reach it, the likeliest first; the loopback is left out.

    First the one from which packets to anywhere leave, then IPv4 before IPv6, bridges to containers last.
    """
    outward = [host for family in ELSEWHERE if (host := _outward(family))]
    found = [one for one in interfaces() if not one.is_loopback]
    found.sort(key=lambda one: (one.host not in outward, one.name.startswith(VIRTUAL), ":" in one.host))
    return list(dict.fromkeys(one.host for one in found))


def _host(address: int) -> str | None:
    """Return the address that a `struct sockaddr` holds, None unless it is one of IP that is valid beyond a link."""
    head = ctypes.string_at(address, 2)
    family = head[1] if sys.platform == "darwin" else int.from_bytes(head, sys.byteorder)
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, ctypes.string_at(address + 4, 4))
    if family == socket.AF_INET6:
        number = ctypes.string_at(address + 8, 16)
        return None if ipaddress.IPv6Address(number).is_link_local else socket.inet_ntop(socket.AF_INET6, number)
    return None


def _outward(family: socket.AddressFamily) -> str | None:
    """Return the address from which packets to others leave, None without a route; none is sent to find out."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((ELSEWHERE[family], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None
