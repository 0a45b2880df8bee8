"""TCP addresses: what is one, and how other machines reach it."""

import ipaddress

import pytest

from engine.errors import UsageError
from engine.wire.address import Address, network_of


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://127.0.0.1:5555", "127.0.0.1", 5555),
        ("tcp://[::1]:0", "::1", 0),
        ("tcp://*:65535", "*", 65535),
        ("tcp://node-7.lab_x:1", "node-7.lab_x", 1),
    ],
)
def test_an_address(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "tcp://", "tcp://x", "tcp://x:", "tcp://x:65536", "tcp://x:1 ", "ipc:///x", "tcp://::1:5"]
)
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not an address; try tcp://HOST:PORT, with a port from 0 to 65535"):
        Address.parse(text)


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
    assert Address("box", 7).for_others() == Address("box", 7)
    outward = Address("*", 7).for_others()
    assert outward.port == 7
    assert outward.host != "*"
    assert not ipaddress.ip_address(outward.numeric().host).is_unspecified


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
