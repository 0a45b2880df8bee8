"""Who takes part in `versus_torch`: gradsum and PyTorch by one process, threads, workers and ranks."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.session import Figures

OURS, THEIRS = "benchmarks.contender_gradsum", "benchmarks.contender_torch"
JEMALLOC = Path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2")  # Debian's package libjemalloc2


@dataclass(frozen=True)
class Contender:
    """A name and the command that measures it; `ranks` processes of it, `preload` a library for all of them.

    With `apart` the processes have nothing to do with each other, and their images/s are added up.
    """

    name: str
    module: str
    options: tuple[str, ...] = ()
    cores: int = 1
    ranks: int = 1
    preload: str = ""
    apart: bool = False

    def run(self, batches: list[int], images: int) -> list[Figures]:
        """Run one session; return what it printed for each batch size, the first with the seconds to its first step.

        `images`: for each core and batch size.
        """
        sizes = (str(batch) for batch in batches)
        share = 1 if self.apart else self.cores
        numbers = ("--images", str(images * share), "--batch-size", *sizes)
        command = [sys.executable, "-m", self.module, *self.options, "--json", *numbers]
        began = time.time()
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            for environment in self._environments()
        ]
        said = [process.communicate(timeout=1200)[0] for process in processes]
        if any(process.returncode for process in processes):
            raise SystemExit(f"{self.name} failed: {' '.join(command)}")
        all_found: list[list[Figures]] = [[json.loads(line) for line in text.splitlines()] for text in said]
        found = all_found[0]
        if self.apart:
            for number, one in enumerate(found):
                one["images_per_second"] = sum(each[number]["images_per_second"] for each in all_found)
        for one in found[1:]:
            one.pop("first_step", None)  # it had been started before
        if "first_step" in found[0]:
            found[0]["first_step"] -= began
        return found

    def _environments(self) -> list[dict[str, str]]:
        """Return the environment of each rank, as torchrun would set it."""
        base = os.environ | ({"LD_PRELOAD": self.preload} if self.preload else {})
        if self.ranks == 1:
            return [base]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        base |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(self.ranks)}
        return [base | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(self.ranks)]


def forward() -> list[Contender]:
    """Return who evaluates, by one thread."""
    return [
        Contender("gradsum serial", OURS, ("--forward",)),
        Contender("PyTorch 1 thread", THEIRS, ("--forward",)),
    ]


def serial() -> list[Contender]:
    """Return who trains by one thread."""
    found = [Contender("gradsum serial", OURS), Contender("PyTorch 1 thread", THEIRS)]
    if JEMALLOC.exists():
        found.append(Contender("PyTorch 1 thread, jemalloc", THEIRS, preload=str(JEMALLOC)))
    return [*found, Contender("PyTorch 1 thread, compiled", THEIRS, ("--compile",))]


def parallel(cores: list[int]) -> list[Contender]:
    """Return who trains by so many cores, for each of the numbers."""
    found = []
    for count in cores:
        number = str(count)
        found += [
            Contender(f"gradsum {_times(count, 'worker')}", OURS, ("--workers", number), count),
            Contender(f"PyTorch {_times(count, 'thread')}", THEIRS, ("--threads", number), count),
        ]
        if count > 1:
            # What so many cores can give at most.
            found += [
                Contender(f"{count} gradsum serial at once", OURS, (), count, ranks=count, apart=True),
                Contender(f"PyTorch DDP {count} ranks", THEIRS, ("--ranks", number), count, ranks=count),
            ]
        if count > 1 and JEMALLOC.exists():
            name = f"PyTorch {count} threads, jemalloc"
            found.append(Contender(name, THEIRS, ("--threads", number), count, preload=str(JEMALLOC)))
    return found


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
