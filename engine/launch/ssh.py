"""`--on "ssh node1 node2:16"`: a worker command on each host, by the machine's own ssh."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SettingsError
from engine.launch.launcher import Join, is_final, shared_out, shell_command
from engine.launch.piped import Piped, Task
from engine.system.processes import PLACE_LIMIT

# -T: no terminal. BatchMode: never ask. ServerAlive: a host that is gone is noticed within 15 seconds.
SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
ALIVE = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
WITH_VALUE = "BbcDEeFIiJLlmOopQRSWw"  # options of ssh(1) that take a value
HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:]+)(?::(?P<count>[0-9]{1,4}))?")
FAILED = 255  # ssh's own exit code, as against that of the command
NEVER = {  # what ssh says -> what to do; trying again is of no use
    "Permission denied": "it asks for a password or knows no key of yours: let ssh-copy-id {host} put one there",
    "Host key verification failed": "its key is not the one that is known, or none is: try ssh {host} by hand",
    "Could not resolve hostname": "no such host is known here",
}
UNLIMITED = 4096  # workers at a host without a number of its own


@dataclass(frozen=True)
class Host:
    """A host, as ssh knows it, and how many workers it gets at most; None: one per core."""

    name: str
    count: int | None = None

    def __str__(self) -> str:
        return self.name if self.count is None else f"{self.name}:{self.count}"


def ssh(words: Sequence[str]) -> Piped:
    """Return the launcher for the words after `ssh`: its options, hosts, and files of hosts.

    A word with a slash is a file: a host a line, # before remarks. SettingsError if there is no host, or it is none.
    """
    options, hosts = _read(words)
    return Piped("hosts", lambda join: tasks(hosts, options, join), reason_of_end)


def ssh_for_each(words: Sequence[str], count: int) -> list[list[str]]:
    """Share the hosts out among `count` runs side by side, and return the words for each.

    SettingsError as `ssh`, and if there are fewer hosts than runs.
    """
    options, hosts = _read(words)
    if len(hosts) < count:
        names = ", ".join(host.name for host in hosts)
        raise SettingsError(
            f"--on ssh: {count} trials at once take a host each, and there {'is' if len(hosts) == 1 else 'are'} only "
            f"{names}: name more hosts, or let fewer trials run at once"
        )
    return [[*options, *map(str, hosts[number::count])] for number in range(count)]


def tasks(hosts: Sequence[Host], options: Sequence[str], join: Join) -> list[Task]:
    """Return the command for each host that gets workers."""
    counts: list[int | None] = [host.count for host in hosts]
    if join.workers is not None:
        counts = list(shared_out(join.workers, [host.count or UNLIMITED for host in hosts]))
    return [
        Task(
            host.name,
            host.name,
            _command(host.name, options, [*join.words("-", count, _place(host)), "--tied"]),
        )
        for host, count in zip(hosts, counts, strict=True)
        if count != 0
    ]


def _place(host: Host) -> str:
    return f"host {host.name}"[:PLACE_LIMIT]


def reason_of_end(task: Task, code: int, said: str) -> tuple[bool, str]:
    """Return whether an end is final, and why it came, by what ssh said, or the worker."""
    if code == FAILED:
        for text, advice in NEVER.items():
            if text in said:
                last = next(line for line in reversed(said.splitlines()) if text in line)
                return True, f"{last.strip()} ({advice.format(host=task.name)})"
    return is_final(code, said), said


def _command(host: str, options: Sequence[str], words: Sequence[str]) -> list[str]:
    return [*SSH, *options, *ALIVE, "--", host.strip("[]"), f"sh -c {shlex.quote(shell_command(words))}"]


def _read(words: Sequence[str]) -> tuple[list[str], list[Host]]:
    """Return the options and the hosts that the words mean."""
    options, rest = _split(list(words))
    hosts = [host for word in rest for host in (_from_file(Path(word)) if "/" in word else [_host(word)])]
    if not hosts:
        raise SettingsError('--on ssh needs hosts, as in --on "ssh node1 node2:16", or a file of them with a / in it')
    if len({host.name for host in hosts}) < len(hosts):
        raise SettingsError("--on ssh: a host is named twice; write host:16 for 16 workers there")
    return options, hosts


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the options of ssh, with their values, and the other words."""
    options: list[str] = []
    while words and words[0].startswith("-"):
        options.append(words.pop(0))
        if options[-1][-1] in WITH_VALUE and len(options[-1]) == 2:
            if not words:
                raise SettingsError(f"--on ssh: {options[-1]} needs a value")
            options.append(words.pop(0))
    return options, words


def _host(word: str) -> Host:
    found = HOST.fullmatch(word)
    if not found or word.startswith("-") or (found["count"] and not int(found["count"])):
        raise SettingsError(f"--on ssh: {word!r:.60} is not a host; write node1, user@node1 or node1:16")
    return Host(found["host"], int(found["count"]) if found["count"] else None)


def _from_file(path: Path) -> list[Host]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--on ssh: the file of hosts {path} cannot be read: {error}") from None
    return [_host(word) for line in lines for word in line.partition("#")[0].split()]
