"""TCP addresses: what is one, and how other machines reach it."""

import ipaddress
import socket

import pytest

from engine.errors import UsageError
from engine.system.interfaces import Interface, interfaces
from engine.wire.address import Address, coordinator_addresses, join, network_of, places_to_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://127.0.0.1:5555", "127.0.0.1", 5555),
        ("tcp://[::1]:0", "::1", 0),
        ("tcp://[fe80::1%eth0.7]:5555", "fe80::1%eth0.7", 5555),
        ("tcp://*:65535", "*", 65535),
        ("tcp://node-7.lab_x:1", "node-7.lab_x", 1),
        (f"tcp://{'x' * 63}.example.:1", f"{'x' * 63}.example.", 1),
    ],
)
def test_an_address(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "tcp://", "tcp://x", "tcp://x:", "tcp://x:65536", "tcp://x:1 ", "ipc:///x", "tcp://::1:5"),
        *("tcp://a..b:1", "tcp://.:1", f"tcp://{'x' * 64}:1", f"tcp://a.{'x' * 64}:1"),
    ],
)
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not an address; try tcp://HOST:PORT, with a port from 0 to 65535"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["tcp://[fe80::1:2]:5555", "tcp://10.0.0.1,[fe80::1:2]:5555"])
def test_an_address_of_one_link_needs_the_interface(text: str) -> None:
    with pytest.raises(UsageError, match=r"holds on one link only.*try tcp://\[fe80::1:2%eth0\]:5555"):
        coordinator_addresses(text)


def test_an_address_with_an_interface_keeps_it() -> None:
    name = interfaces()[0].name
    address = Address.parse(f"tcp://[fe80::1%{name}]:5555")
    assert address.numeric() == address
    assert address.name()[::3] == ("fe80::1", socket.if_nametoindex(name))
    assert not address.is_name()
    assert not address.is_loopback()
    assert network_of("fe80::1%x") == "fe80::/64"


def test_an_unknown_host() -> None:
    address = Address("no.such.host.invalid", 1)
    with pytest.raises(UsageError, match=r"the host 'no.such.host.invalid' of tcp://no.such.host.invalid:1 is unknown"):
        address.numeric()
    assert not address.is_loopback()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("*", False), ("192.0.2.1", False)],
)
def test_whether_only_this_machine_is_meant(host: str, loopback: bool) -> None:
    assert Address(host, 1).is_loopback() == loopback


def test_every_interface_is_reached_at_one_of_them() -> None:
    assert Address("*", 7).numeric() == Address("0.0.0.0", 7)  # noqa: S104
    assert Address("box", 7).hosts_for_others() == ["box"]
    hosts = Address("*", 7).hosts_for_others()
    assert hosts
    for host in hosts:
        assert not ipaddress.ip_address(Address(host, 7).numeric().host).is_unspecified


def test_several_hosts_of_a_coordinator() -> None:
    text = "tcp://10.0.0.1,[fd00::1],box:5555"
    addresses = coordinator_addresses(text)
    assert addresses == [Address("10.0.0.1", 5555), Address("fd00::1", 5555), Address("box", 5555)]
    assert join([address.host for address in addresses], 5555) == text
    assert coordinator_addresses("tcp://box,box:1") == [Address("box", 1)]
    for bad in ("tcp://a,:5", "tcp://a,*:5", "tcp://a,b:65536", "tcp://a,b"):
        with pytest.raises(UsageError, match="is not an address"):
            coordinator_addresses(bad)


def test_where_to_listen() -> None:
    loopback = next(one.name for one in interfaces() if one.host == "127.0.0.1")
    assert places_to_listen(f"{loopback}:5000") == [Address("127.0.0.1", 5000)]
    assert places_to_listen(f"{loopback}:5000-5002") == [Address("127.0.0.1", port) for port in (5000, 5001, 5002)]
    assert places_to_listen("tcp://*:7-8") == [Address("*", 7), Address("*", 8)]
    assert places_to_listen("tcp://[::1]:0") == [Address("::1", 0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nix9:5000", r"no network interface 'nix9' with an address here, but .*lo.*127.0.0.1.*write tcp://nix9:5000"),
        ("nix9:5000-5001", "no network interface 'nix9'"),
        ("tcp://*:8-7", "a range of ports goes up"),
        ("tcp://*:0-7", "a range of ports goes up"),
        ("tcp://*:7-65536", "a range of ports goes up"),
        ("nix9", "is not an address"),
        ("nix9:65536", "is not an address"),
    ],
)
def test_where_one_cannot_listen(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        places_to_listen(text)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
    ],
)
def test_what_counts_as_one_origin(host: str, network: str) -> None:
    assert network_of(host) == network


def test_others_are_told_addresses_of_the_kind_that_is_listened_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.wire.address.own_hosts", lambda: ["10.0.0.1", "fd00::1", "172.17.0.1"])
    assert Address("*", 1).hosts_for_others() == ["10.0.0.1", "172.17.0.1"]
    assert Address("::", 1).hosts_for_others() == ["fd00::1"]
    assert Address("box", 1).hosts_for_others() == ["box"]


def test_of_an_interface_the_address_of_version_4_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [Interface("eth0", "fd00::1"), Interface("eth1", "10.0.0.2"), Interface("eth0", "10.0.0.1")]
    monkeypatch.setattr("engine.wire.address.interfaces", lambda: there)
    assert places_to_listen("eth0:5000") == [Address("10.0.0.1", 5000)]
