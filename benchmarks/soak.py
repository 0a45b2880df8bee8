"""What grows in a long run: `python -m benchmarks.soak [--steps N] [--joins N] [--workers N]`.

The mlp trains for so many steps, while peers join its coordinator and leave again. Memory, open files and threads of
every process are looked at all the time; shown is how fast each grows in the second half, when caches are full: the
first 100,000 steps still use pages for the first time that Python has had from the start.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import zmq

from benchmarks.arguments import positive
from benchmarks.machine import facts
from engine.compute.fingerprint import fingerprint
from engine.system.blas import ONE_THREAD
from engine.wire import messages as m
from tests.support.chaos.arena import MAIN, free_port
from tests.support.proofs import ready

LOOK = 1.0  # seconds between two looks
ANSWER = 5_000  # milliseconds to wait for an answer
SETTINGS = ("--model", "mlp", "--batch-size", "32", "--validate-every", "20000", "--quiet")


class Look(NamedTuple):
    """One process at one moment: memory that it has for itself alone [bytes], open files, threads."""

    step: int
    memory: int
    files: int
    threads: int


def looked(pid: int, step: int) -> Look | None:
    """Look at a process; None if it has ended."""
    place = Path(f"/proc/{pid}")
    try:
        lines = (place / "smaps_rollup").read_text(encoding="ascii").splitlines()
        files, threads = (len(os.listdir(place / part)) for part in ("fd", "task"))  # noqa: PTH208
    except OSError:
        return None
    own = (1024 * int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
    return Look(step, next(own), files, threads)


def family(pid: int) -> list[int]:
    """Return a process, and all that descend from it."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [pid, *(one for child in children.split() for one in family(int(child)))]
    return []


def steps_taken(db: Path) -> int:
    """Return the last step on record."""
    with (
        contextlib.suppress(sqlite3.OperationalError),  # it is not there yet
        contextlib.closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection,
    ):
        return int(connection.execute("SELECT max(batchno) FROM training").fetchone()[0] or 0)
    return 0


class Visitor:
    """Joins the coordinator at `address` as a worker does, and leaves again without having done anything."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._numerics = fingerprint()
        self._context = zmq.Context()
        self.joins = 0

    def visit(self) -> bool:
        """Join once, and leave; False if nobody answers: the run is over."""
        with self._context.socket(zmq.DEALER) as dealer:
            dealer.linger = 100
            dealer.connect(self._address)
            dealer.send_multipart(m.encode(m.Hello("visitor", 1 + self.joins, self._numerics)))
            if not dealer.poll(ANSWER):
                return False
            welcome, payload = m.decode(dealer.recv_multipart())
            if not isinstance(welcome, m.Welcome) or payload is None:
                raise SystemExit(f"the coordinator answers {welcome}")
            dealer.send_multipart(m.encode(ready(welcome, payload)))
            dealer.send_multipart(m.encode(m.Goodbye(welcome.session, "it was only a visit")))
            self.joins += 1
            return True


def soak(folder: Path, steps: int, joins: int, workers: int) -> dict[int, list[Look]]:
    """Train, and return what was seen of each process that was there most of the time, the coordinator first."""
    address = f"tcp://127.0.0.1:{free_port()}"
    places = ("--db", "r.db", "--out", "out", "--bind", address, "--insecure", "--workers", str(workers))
    command = [sys.executable, "-P", "-c", MAIN, "train", "--steps", str(steps), *SETTINGS, *places]
    seen: dict[int, list[Look]] = defaultdict(list)
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        visitor = Visitor(address)
        while run.poll() is None:
            step = steps_taken(folder / "r.db")
            for pid in family(run.pid):
                if look := looked(pid, step):
                    seen[pid].append(look)
            while visitor.joins * steps < joins * step and visitor.visit():
                pass
            time.sleep(LOOK)
    if run.returncode:
        raise SystemExit("the run failed")
    return {pid: looks for pid, looks in seen.items() if 2 * len(looks) > len(seen[run.pid])}


def slope(looks: Sequence[Look], values: Sequence[int]) -> float:
    """Return how much `values` grow in 1,000 steps, from the third to the last quarter of the steps."""
    quarter = len(looks) // 4
    parts = slice(-2 * quarter, -quarter), slice(-quarter, None)
    (before, first), (after, last) = (
        (statistics.median(look.step for look in looks[part]), statistics.median(values[part])) for part in parts
    )
    return 1000 * (last - first) / max(after - before, 1)


def main() -> None:
    """Soak, and print what grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=positive, default=250_000)
    parser.add_argument("--joins", type=int, default=2500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    os.environ.update(ONE_THREAD)
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        seen = soak(Path(place), a.steps, a.joins, a.workers)
        seconds, database = time.monotonic() - began, (Path(place) / "r.db").stat().st_size
    names = ["coordinator", *(f"worker {number}" for number in range(1, len(seen)))]
    rows = []
    for name, looks in zip(names, seen.values(), strict=True):
        columns = {part: [getattr(look, part) for look in looks] for part in Look._fields[1:]}
        grows = {f"{part}_per_1000_steps": slope(looks, values) for part, values in columns.items()}
        rows.append({"process": name, "megabytes": columns["memory"][-1] / 1e6} | grows)
    if a.json:
        print(json.dumps({"machine": facts(), "seconds": seconds, "database": database, "processes": rows}))
        return
    print(f"{a.steps:,} steps and {a.joins:,} joins in {seconds:.0f} s; database {database / 1e6:.0f} MB")
    print("| process | MB | kB per 1,000 steps | files | threads |\n|---|---|---|---|---|")
    for row in rows:
        memory, files, threads = (row[f"{part}_per_1000_steps"] for part in Look._fields[1:])
        print(f"| {row['process']} | {row['megabytes']:.0f} | {memory / 1e3:+.2f} | {files:+.3f} | {threads:+.3f} |")


if __name__ == "__main__":
    main()
