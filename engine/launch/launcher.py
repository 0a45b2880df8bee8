"""What a launcher is: it places `gradsum worker` commands somewhere, replaces those that end, and ends them all."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO, Protocol

from engine.kernels.environment import BACKEND
from engine.nn.own.imports import imported

PATIENCE = 60  # seconds that a worker waits for a coordinator that has gone
TAIL = 2000  # bytes of a log that are worth quoting: the last ones
FINAL = ("refused this worker", "has expelled this worker", "takes no keys", "wants a key")  # trying again is no use
BAD_USAGE, NOT_FOUND = 2, 127  # exit codes with which a worker never gets better


class State(Enum):
    """How a place is."""

    WAITING = auto()
    UP = auto()
    ENDED = auto()


@dataclass(frozen=True)
class Place:
    """One job, step, host or actor that is to run a worker command.

    `node`: where it runs, "" if that is not known. `why`: why it waits. `ends`: how often it has ended, `said` what it
    said last then. A `refused` one is not started again.
    """

    name: str
    state: State
    node: str = ""
    why: str = ""
    ends: int = 0
    said: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Join:
    """How workers come in. `workers`: how many processes in all, None for as many as there is room for, or of which no
    more than `useful` have work.

    `address`: of the coordinator, with all its hosts. `way_in`: what standard input of a worker, or a key file, has;
    empty without keys. `folder`: for logs, and for a key file.
    """

    address: str
    way_in: bytes
    folder: Path
    workers: int | None = None
    useful: int = 1

    def words(self, key: str, processes: int | None, place: str = "") -> list[str]:
        """Return the arguments of `gradsum` for a worker at `place` whose key is at `key`."""
        words = ["worker", self.address, "--patience", str(PATIENCE)]
        words += [f"--key={key}"] if self.way_in else ["--insecure"]
        words += [f"--place={place}"] if place else []
        words += ["--import", ",".join(str(one.path) for one in modules)] if (modules := imported()) else []
        words += ["--kernels", kernels] if (kernels := os.environ.get(BACKEND)) else []
        return [*words, "--processes", str(processes)] if processes else words


class Launcher(Protocol):
    """Places workers. `noun` is what its places are called, such as "jobs"; `remark` is what people are told first."""

    noun: str
    remark: str

    def start(self, join: Join) -> None:
        """Ask for the workers, and return at once; WorkersError with what was said if that was refused."""

    def look(self) -> list[Place]:
        """Start substitutes for those that ended, and return how all places are; it may take seconds.

        WorkersError as `start`.
        """

    def close(self) -> None:
        """End all, and wait until nothing is left; may be called twice."""


def shell_command(words: Sequence[str]) -> str:
    """Return a script for sh that becomes `gradsum` with these words: at the same path as here, or that of PATH."""
    here = shlex.quote(str(Path(sys.executable).with_name("gradsum")))
    return (
        f'g={here}; [ -x "$g" ] || g=gradsum; command -v "$g" >/dev/null || '
        f'{{ echo "gradsum is not installed on $(hostname): neither" {here} "nor in PATH" >&2; exit {NOT_FOUND}; }}; '
        f'exec "$g" {shlex.join(words)}'
    )


def shared_out(count: int, places: Sequence[int]) -> list[int]:
    """Return how many of `count` workers each place gets, in proportion as equal as `places`, their most, allow."""
    given = [0] * len(places)
    while sum(given) < min(count, sum(places)):
        least = min((number for number, most in enumerate(places) if given[number] < most), key=lambda n: given[n])
        given[least] += 1
    return given


def tail(file: IO[bytes], begin: int = 0) -> str:
    """Return the last `TAIL` bytes of a log as text, but nothing before the byte `begin`."""
    file.seek(max(begin, file.seek(0, os.SEEK_END) - TAIL))
    return file.read(TAIL).decode(errors="replace").strip()


def last_words(log: Path, begin: int = 0) -> str:
    """Return the last lines of a log, from the byte `begin` on."""
    try:
        with log.open("rb") as file:
            return tail(file, begin)
    except OSError as error:
        return f"({log} cannot be read: {error.strerror})"


def is_final(code: int, said: str) -> bool:
    """Return whether a worker command that ended with `code` would end so again."""
    return code in (BAD_USAGE, NOT_FOUND) or any(text in said for text in FINAL)
