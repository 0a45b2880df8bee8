"""gradsum against PyTorch on the same cores: `pip install -e .[bench]`, then `python -m benchmarks.versus_torch`.

Every contender is a process of its own. All take turns, round after round, so that a slow spell of the machine hits
them all; shown are medians, and medians of the ratios within a round.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import facts

JEMALLOC = Path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2")  # Debian's package libjemalloc2
IMAGES = 9_600  # a session, after the warm-up


@dataclass(frozen=True)
class Contender:
    """A name and the command that measures it; `ranks` processes of it, `preload` a library for all of them.

    With `apart` the processes have nothing to do with each other, and their images/s are added up.
    """

    name: str
    module: str
    options: tuple[str, ...] = ()
    ranks: int = 1
    preload: str = ""
    apart: bool = False

    @property
    def one_thread(self) -> bool:
        """Whether it is one process that computes by one thread."""
        return self.ranks == 1 and "--workers" not in self.options and "--threads" not in self.options

    def run(self, batch: int) -> dict[str, float]:
        """Run one session and return what it printed, with the seconds to the first step."""
        steps = str(IMAGES // batch)
        command = [
            sys.executable,
            "-m",
            self.module,
            *self.options,
            "--json",
            "--batch-size",
            str(batch),
            "--steps",
            steps,
        ]
        began = time.time()
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            for environment in self._environments()
        ]
        said = [process.communicate(timeout=600)[0] for process in processes]
        if any(process.returncode for process in processes):
            raise SystemExit(f"{self.name} failed: {' '.join(command)}")
        all_found: list[dict[str, float]] = [json.loads(text.splitlines()[-1]) for text in said]
        found = all_found[0]
        if self.apart:
            found["images_per_second"] = sum(one["images_per_second"] for one in all_found)
        if "first_step" in found:
            found["first_step"] -= began
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


def contenders(forward: bool, serial: bool) -> list[Contender]:
    """Return everyone who takes part, or only those of one thread."""
    ours, theirs = "benchmarks.contender_gradsum", "benchmarks.contender_torch"
    if forward:
        return [
            Contender("gradsum serial", ours, ("--forward",)),
            Contender("PyTorch 1 thread", theirs, ("--forward",)),
        ]
    found = [
        Contender("gradsum serial", ours),
        Contender("gradsum 1 worker", ours, ("--workers", "1")),
        Contender("gradsum 2 workers", ours, ("--workers", "2")),
        Contender("gradsum 8 workers", ours, ("--workers", "8")),
        Contender("two gradsum serial at once", ours, ranks=2, apart=True),  # what two cores can give at most
        Contender("PyTorch 1 thread", theirs),
        Contender("PyTorch 2 threads", theirs, ("--threads", "2")),
        Contender("PyTorch DDP 2 ranks", theirs, ("--ranks", "2"), ranks=2),
    ]
    if JEMALLOC.exists():
        found.append(Contender("PyTorch 1 thread, jemalloc", theirs, preload=str(JEMALLOC)))
        found.append(Contender("PyTorch 2 threads, jemalloc", theirs, ("--threads", "2"), preload=str(JEMALLOC)))
    found.append(Contender("PyTorch 1 thread, compiled", theirs, ("--compile",)))
    return [one for one in found if one.one_thread] if serial else found


def study(batches: list[int], rounds: int, *, forward: bool, serial: bool) -> list[dict[str, Any]]:
    """Measure everyone `rounds` times, in turns; return a row a contender and batch size."""
    rows = []
    for batch in batches:
        runs: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            for contender in contenders(forward, serial):
                runs.setdefault(contender.name, []).append(contender.run(batch))
        for name, found in runs.items():
            row: dict[str, Any] = {"batch": batch, "contender": name, "forward": forward}
            row |= {key: statistics.median(run[key] for run in found) for key in found[0]}
            for base in ("gradsum serial", "gradsum 2 workers"):
                if base in runs:
                    row[f"{base} / this"] = _ratio(runs[base], found, "images_per_second")
            if serial:
                row["the same by CPU time"] = _ratio(runs["gradsum serial"], found, "images_per_cpu_second")
            rows.append(row)
    return rows


def _ratio(mine: list[dict[str, float]], others: list[dict[str, float]], rate: str) -> float:
    """Return the median of the ratios within rounds."""
    return statistics.median(one[rate] / other[rate] for one, other in zip(mine, others, strict=True))


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a Markdown table."""
    ratios = [key for key in rows[0] if key.endswith("/ this") or key == "the same by CPU time"]
    print(
        "| batch | contender | images/s |",
        *(f"{r} |" for r in ratios),
        "first step s | peak MB | peak MB of a worker |",
    )
    print("|" + "---|" * (6 + len(ratios)))
    for row in rows:
        first = f"{row['first_step']:.1f}" if "first_step" in row else ""
        ratio = " | ".join(f"{row[r]:.2f}" for r in ratios)
        memory = f"{row['peak_mb']:.0f} | " + (f"{row['peak_worker_mb']:.0f}" if row["peak_worker_mb"] else "")
        print(
            f"| {row['batch']} | {row['contender']} | {row['images_per_second']:,.0f} | {ratio} | {first} | {memory} |"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, nargs="+", default=[64, 256], metavar="N", help="default: 64 256")
    parser.add_argument("--rounds", type=int, default=5, help="sessions of each (default: 5)")
    parser.add_argument("--serial", action="store_true", help="only what computes by one thread, as on one core")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    if find_spec("torch") is None:
        raise SystemExit("versus_torch needs PyTorch: pip install -e .[bench]")
    rows = study(arguments.batch_size, arguments.rounds, forward=False, serial=arguments.serial)
    forward = study(arguments.batch_size, arguments.rounds, forward=True, serial=arguments.serial)
    if arguments.json:
        print(json.dumps({"machine": facts(), "train": rows, "forward": forward}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
    for part in (rows, forward):
        show(part)
        print()


if __name__ == "__main__":
    main()
