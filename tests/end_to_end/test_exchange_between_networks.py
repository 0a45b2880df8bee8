"""An exchange of machines that do not all reach each other, or not always: network namespaces with blackhole routes."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from subprocess import Popen

import pytest

from engine.cli.exit_codes import INTERRUPTED
from tests.support.command import PATIENCE, SMALL, Gradsum, finish, save_data
from tests.support.machines import HEAD, Machines, ip, machines

MEMBERS = ("n1", "n2", "n3", "n4")
LONELY = "n5"
PORT = 5555
# Micro-batches of which each relay has some, and nothing between the steps.
OPTIONS: tuple[object, ...] = (
    *(*SMALL[1:5], *SMALL[7:], "--batch-size", 20, "--microbatch", 1, "--json", "--quiet"),
    *("--validate-every", 1 << 30, "--checkpoint-every", 1 << 30, "--snapshot-first", 0, "--statistics-every", 0),
)
LOG = {"GRADSUM_LOG": "debug"}


def route(net: Machines, change: str, some: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Let two groups of machines lose each other ("add"), or find each other again ("delete")."""
    for a, b in [*product(some, others), *product(others, some)]:
        ip("-n", net.namespace(a), "route", change, "blackhole", f"{net.address(b)}/32")


def words(command: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from engine.cli import main; sys.exit(main())", command]


@contextmanager
def relays(net: Machines) -> Iterator[None]:
    """Start a relay on each machine."""
    command = (*words("worker"), f"tcp://{net.address(HEAD)}:{PORT}", "--insecure", "--relay", "on", "--processes", "1")
    started = [net.start_on(node, [*command, "--once"]) for node in (*MEMBERS, LONELY)]
    try:
        yield
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.communicate(timeout=PATIENCE)


def heard(run: "Popen[str]", pattern: str) -> list[str]:
    """Return what the coordinator logs up to and including what matches `pattern`."""
    assert run.stderr is not None
    lines: list[str] = []
    for line in run.stderr:
        lines.append(line)
        if re.search(pattern, line):
            return lines
    raise AssertionError(f"{pattern!r} is not in {lines}")


@pytest.mark.check
def test_one_that_is_not_reached_and_two_that_lose_each_other(gradsum: Gradsum, tidy: Path, tmp_path: Path) -> None:
    save_data()
    with machines(5, tmp_path) as net:
        route(net, "add", (LONELY,), MEMBERS)
        command = (*words("coordinator"), "--bind", f"tcp://*:{PORT}", "--insecure", "--min-workers", 5, *OPTIONS)
        run = net.start_on(
            HEAD, [*map(str, command), "--steps", str(1 << 30), "--db", "r.db", "--out", "out"], {**os.environ, **LOG}
        )
        try:
            with relays(net):
                heard(run, "exchange among 4 relays")
                route(net, "add", ("n1",), ("n2",))
                # By then others may have computed the shares of the two, so that no step has to be done again.
                heard(run, "n1:.* cannot reach n2:|n2:.* cannot reach n1:")
                route(net, "delete", ("n1",), ("n2",))
                heard(run, "exchange among 4 relays")
                run.send_signal(signal.SIGINT)
                answer = finish(run)
        finally:
            run.kill()
            run.communicate(timeout=PATIENCE)
    assert answer.code == INTERRUPTED, answer.err
    result = answer.json()
    serial = gradsum("train", *OPTIONS, "--workers", 0, "--steps", result["steps"], "--db", "s.db", "--out", "s").json()
    assert result["params_sha256"] == serial["params_sha256"]
