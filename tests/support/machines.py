"""Machines on one host, each with a network, a name and a /etc/hosts of its own; processors and files are shared."""

import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.command import wait_for_end
from tests.support.tools import need, need_root

HEAD = "head"
NUMBERS = itertools.count()  # Linux removes a network some time after its namespace: no name is used again


def ip(*words: str) -> str:
    """Run ip(8), and return what it says."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Machines:
    """`head`, which is this host on a bridge, and nodes n1, n2, ... behind it."""

    def __init__(self, count: int, folder: Path) -> None:
        self.nodes = [f"n{number}" for number in range(1, count + 1)]
        self._mark = f"gm{os.getpid() % 100_000}{next(NUMBERS)}"
        self.bridge = f"{self._mark}b"
        self._net = f"10.88.{os.getpid() % 250 + 2}"
        self._hosts = folder / "hosts"
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        lines = Path("/etc/hosts").read_text() + f"{self._net}.1 {HEAD}\n"
        self._hosts.write_text(lines + "".join(f"{self.address(node)} {node}\n" for node in self.nodes))

    def address(self, machine: str) -> str:
        """Return the address of a machine."""
        return f"{self._net}.1" if machine == HEAD else f"{self._net}.1{machine.removeprefix('n')}"

    def namespace(self, node: str) -> str:
        """Return the name of a node's network namespace."""
        return f"{self._mark}{node}"

    def cable(self, node: str) -> str:
        """Return the name of the end of a node's cable that is at the bridge."""
        return f"{self._mark}v{node}"

    def start(self) -> None:
        """Make the bridge and the nodes."""
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"{self.address(HEAD)}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for node in self.nodes:
            space, cable = self.namespace(node), self.cable(node)
            ip("netns", "add", space)
            ip("link", "add", cable, "type", "veth", "peer", "name", "e0", "netns", space)
            ip("link", "set", cable, "master", self.bridge, "up")
            ip("-n", space, "address", "add", f"{self.address(node)}/24", "dev", "e0")
            for device in ("e0", "lo"):
                ip("-n", space, "link", "set", device, "up")
            self.boot(node)
        self.boot(HEAD)

    def boot(self, machine: str) -> None:
        """Give a machine its name and hosts; after `kill` it is one again."""
        script = f"mount --bind {self._hosts} /etc/hosts && hostname {machine} && echo up && exec sleep infinity"
        space = [] if machine == HEAD else ["ip", "netns", "exec", self.namespace(machine)]
        command = [*space, "unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", script]
        holder = self._holders[machine] = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"

    def on(self, machine: str, *command: str) -> list[str]:
        """Return the command that runs `command` on a machine."""
        spaces = ["--mount", "--uts"] + ([] if machine == HEAD else ["--net"])
        return ["nsenter", f"--target={self._holders[machine].pid}", *spaces, f"--wd={Path.cwd()}", *command]

    def start_on(
        self, machine: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """Start a process on a machine."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.on(machine, *command), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=env
        )

    def pids(self, node: str, word: str = "gradsum") -> list[int]:
        """Return the processes on a node whose command line has `word`."""
        found = []
        for pid in map(int, ip("netns", "pids", self.namespace(node)).split()):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
            if word in words and "sshd" not in words and "slurm" not in words:
                found.append(pid)
        return found

    def workers(self) -> list[int]:
        """Return the worker processes on all nodes."""
        return [pid for node in self.nodes for pid in self.pids(node, "workers/__main__.py")]

    def kill(self, node: str) -> None:
        """End everything on a node at once; when this returns, it has ended."""
        pids = [int(pid) for pid in ip("netns", "pids", self.namespace(node)).split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pids) == []
        self._release(node)

    def stop(self) -> None:
        """End all that is left, and remove what was made."""
        for node in self.nodes:
            if self.namespace(node) in ip("netns", "list").split():  # `start` may have failed
                self.kill(node)
                ip("netns", "delete", self.namespace(node))
        self._release(HEAD)
        ip("link", "delete", self.bridge)

    def _release(self, machine: str) -> None:
        if holder := self._holders.pop(machine, None):
            holder.kill()
            holder.communicate()


@contextmanager
def machines(count: int, folder: Path) -> Iterator[Machines]:
    """Start machines, and end them with all that runs on them."""
    need_root()
    need("ip", "iproute2")
    made = Machines(count, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
