"""The addresses of this machine, against what `ip` says."""

import json
import subprocess

import pytest

from engine.system.interfaces import interfaces, own_hosts
from tests.support.tools import need


@pytest.mark.check
def test_they_are_those_that_ip_shows() -> None:
    need("ip", "iproute2")
    shown = json.loads(subprocess.run(["ip", "-j", "address"], check=True, capture_output=True, text=True).stdout)
    expected = {
        (link["ifname"], info["local"])
        for link in shown
        for info in link["addr_info"]
        if info["scope"] != "link" and "UP" in link["flags"]
    }
    assert {(one.name, one.host) for one in interfaces()} == expected


def test_the_loopback_is_there_and_of_no_use_to_others() -> None:
    found = [one.host for one in interfaces() if one.is_loopback]
    assert "127.0.0.1" in found
    assert not set(own_hosts()) & set(found)
