"""What a worker says that cannot come in, and how it comes in where that is not easy: real machines, real firewalls."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, SMALL, finish, save_data
from tests.support.machines import HEAD, Machines, ip, machines
from tests.support.remote import printed
from tests.support.tools import need

pytestmark = pytest.mark.check

PLACES = ("--db", "r.db", "--out", "out")


@pytest.fixture
def lab(tidy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A machine, and one that has no route to anywhere else."""
    save_data()
    with machines(1, tmp_path_factory.mktemp("lab")) as made:
        yield made


def coordinator(lab: Machines, bind: str) -> "tuple[subprocess.Popen[str], list[str]]":
    """Start a run on the head that waits for a worker; return it, and the arguments of the command it prints."""
    words = (*SMALL, "--quiet", "--json", *PLACES, "--epochs", 1, "--bind", bind, "--key", "key")
    process = lab.start_on(HEAD, [*PROGRAM, *map(str, words)])
    return process, printed(process)


def said_by(lab: Machines, address: str, text: str) -> None:
    """Wait until a worker on the other machine says `text` of an address."""
    worker = lab.start_on("n1", [*PROGRAM, "worker", address, "--key", "key", "--processes", "1"])
    assert worker.stderr is not None
    line = worker.stderr.readline()
    worker.terminate()
    worker.communicate()
    assert f"{address}: {text}" in line


def test_the_ways_in_that_are_closed(lab: Machines) -> None:
    need("nft", "nftables")
    run, [address, *_] = coordinator(lab, f"tcp://{lab.address(HEAD)}:0")
    port = address.rpartition(":")[2]
    said_by(lab, f"tcp://203.0.113.9:{port}", "this machine has no route to it")
    rules = f"table ip t {{\nchain c {{\ntype filter hook input priority 0\ntcp sport {port} drop\n}}\n}}\n"
    nft = ["ip", "netns", "exec", lab.namespace("n1"), "nft"]
    subprocess.run([*nft, "--file", "-"], input=rules, text=True, check=True)
    said_by(lab, address, "no answer: another network, or a firewall on the way")
    subprocess.run([*nft, "flush", "ruleset"], check=True)
    worker = lab.start_on("n1", [*PROGRAM, "worker", address, "--key", "key", "--processes", "1", "--once"])
    assert finish(run).code == 0
    assert finish(worker).code == 0


def test_a_network_of_ipv6_only(lab: Machines) -> None:
    ip("address", "add", "fd77::1/64", "dev", lab.bridge, "nodad")
    ip("-n", lab.namespace("n1"), "address", "flush", "dev", "e0", "scope", "global")
    ip("-n", lab.namespace("n1"), "address", "add", "fd77::2/64", "dev", "e0", "nodad")
    run, [address, *_] = coordinator(lab, "tcp://[fd77::1]:0")
    assert address.startswith("tcp://[fd77::1]:")
    dead = address.replace("[fd77::1]", "10.9.9.9,[fd77::9],[fd77::1]")
    worker = lab.start_on("n1", [*PROGRAM, "worker", dead, "--key", "key", "--processes", "1", "--once"])
    assert finish(run).code == 0
    assert finish(worker).code == 0
