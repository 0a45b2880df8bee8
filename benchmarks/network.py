"""Another machine, as far as the network is concerned: a namespace behind a link of a given bandwidth. Needs root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

HERE, THERE = "10.77.31.1", "10.77.31.2"


def possible() -> bool:
    """Tell whether this process may make namespaces."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        return False
    name = f"gradsum-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        return False
    _run("ip", "netns", "del", name)
    return True


@contextmanager
def namespace(mbit: int | None) -> Iterator[list[str]]:
    """Make a namespace whose address is `THERE`, and yield what to put before a command that is to run in it.

    This machine is `HERE` for it. `mbit`: what the link carries each way, in Mbit/s; None for as much as it can.
    """
    name = f"gradsum-{os.getpid()}"
    near, far = f"gs{os.getpid()}a", f"gs{os.getpid()}b"
    inside = ["ip", "netns", "exec", name]
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _run("ip", "address", "add", f"{HERE}/24", "dev", near)
        _run(*inside, "ip", "address", "add", f"{THERE}/24", "dev", far)
        for before, device in (([], near), (inside, far)):
            if mbit:
                # A burst of 2 ms, but at least one segment as the kernel passes it on: 64 KiB.
                burst = max(1 << 17, mbit * 250)
                limits = ("rate", f"{mbit}mbit", "burst", str(burst), "limit", str(1 << 23))
                _run(*before, "tc", "qdisc", "add", "dev", device, "root", "tbf", *limits)
            _run(*before, "ip", "link", "set", device, "up")
        yield inside
    finally:
        _run("ip", "netns", "del", name)  # and the link with it


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
