"""What snapshots cost, and how fast they are read: `python -m benchmarks.snapshots [--json]`.

CPU and bytes of a snapshot of the letters network; queries on a database of many; whole runs with the default settings
against runs without any, in turns; and, within a run, the steps after a snapshot against the others.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.arguments import positive
from benchmarks.machine import facts
from engine.system.blas import ONE_THREAD

NONE = ("--snapshot-first", "0", "--snapshot-every", "0", "--statistics-every", "0")
KERNEL = "SELECT * FROM data WHERE startID = 1 AND name = 'c2' AND idx = 20 AND subname = 'filter' ORDER BY batchno"
QUERIES = {
    "one kernel over time": KERNEL,
    "distinct startID": "SELECT DISTINCT startID FROM data",
    "distinct batchno": "SELECT DISTINCT batchno FROM data WHERE startID = 1",
}
EVERY, AFTER = 32, 3  # steps between snapshots by default, and those of them that a snapshot may slow down
PACE = 0.015  # seconds between steps, as in training: copies are made into vectors that are used again
STEPS = 939  # of a run with the default settings


def fill(path: Path, snapshots: int, snapshot: bool) -> dict[str, float]:
    """Take so many steps, with snapshots or else statistics, of the letters network; return what one costs."""
    import numpy as np

    from engine.nn.built_in import letters
    from engine.records import Recorder, RunRow
    from engine.training.snapshots import SnapshotRecorder, SnapshotSchedule

    layout = letters().layout()
    choice = SnapshotSchedule(snapshots if snapshot else 0, 0, 0 if snapshot else 1, frozenset(layout.specs))
    parameters, gradient = layout.zeros(), layout.zeros()
    layout.initialise(parameters, 3)
    gradient[:] = np.random.default_rng(0).standard_normal(layout.size)
    held_up = 0.0
    with Recorder(path) as records:
        records.begin(RunRow("letters", "noise", "adam", 1e-3, 64, 16, 0, 3))
        before = path.stat().st_size
        cpu = time.process_time()
        with SnapshotRecorder(choice, layout, records, print) as taker:
            for step in range(1, snapshots + 1):
                began = time.perf_counter()
                taker.before(step, parameters, gradient, 64)
                taker.after(parameters)
                held_up += time.perf_counter() - began
                time.sleep(max(0.0, PACE - (time.perf_counter() - began)))
        records.flush()
        cpu = time.process_time() - cpu
    size = path.stat().st_size - before
    seconds = {"cpu_ms": cpu, "training_thread_ms": held_up}
    return {name: 1000 * value / snapshots for name, value in seconds.items()} | {"megabytes": size / snapshots / 1e6}


def clock(work: Callable[[], object], times: int = 5) -> float:
    """Return the median of the milliseconds that `work` takes."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - began))
    return median(spent)


def _fetch(connection: sqlite3.Connection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()


def queries(path: Path) -> dict[str, float]:
    """Return the milliseconds of every query in plain SQL, and of the same kernel read with numpy."""
    from engine.records import reading, snapshots

    with closing(sqlite3.connect(path)) as plain:
        found = {name: clock(partial(_fetch, plain, sql)) for name, sql in QUERIES.items()}
    with reading(path) as connection:
        found["one kernel, numpy"] = clock(lambda: snapshots.series(connection, 1, "c2.filter", 180, 189))
    return found


def train(folder: Path, steps: int, workers: int, options: tuple[str, ...]) -> dict[str, float]:
    """Train once, in processes of its own; return images/s, CPU seconds of them all, and `delays`."""
    program = "import sys; from engine.cli import main; sys.exit(main())"
    command = ["train", "--steps", str(steps), "--workers", str(workers), "--db", str(folder / "r.db"), "--json"]
    done = subprocess.run([sys.executable, "-c", program, *command, *options], capture_output=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    with closing(sqlite3.connect(folder / "r.db")) as records:
        # From the first step to the last: without the start of the processes, and what is compiled or loaded there.
        [(cpu,)] = records.execute("SELECT max(cputime) - min(cputime) FROM training").fetchall()
        [(skipped,)] = records.execute("SELECT count(*) FROM events WHERE kind = 'skipped'").fetchall()
        elapsed = [row[0] for row in records.execute("SELECT elapsed FROM training ORDER BY batchno")]
    found = {"images_per_second": result["images_per_second"], "cpu_seconds": cpu, "skipped": skipped}
    return found | delays(elapsed)


def delays(elapsed: list[float]) -> dict[str, float]:
    """Return by how many percent snapshots slow down a run with the default settings, given the ends of its steps.

    `later`: the steps from the one with a snapshot to the second after it, against the others, as a part of 32 steps;
    `first`: each of the first 32 steps; `whole`: what both make of all steps together. A machine that is busy for a
    while slows down both sides. A run without snapshots has these as well: what they are of the noise.
    """
    spent = {step: end - begin for step, (begin, end) in enumerate(pairwise(elapsed), 2)}
    plain = median(spent[step] for step in spent if step > EVERY and step % EVERY >= AFTER)
    after = (median(spent[step] for step in spent if step > EVERY and step % EVERY == n) for n in range(AFTER))
    later = 100 * (sum(after) / (AFTER * plain) - 1) * AFTER / EVERY
    first = 100 * (median(spent[step] for step in spent if step <= EVERY) / plain - 1)
    whole = (EVERY * first + (len(elapsed) - EVERY) * later) / len(elapsed)
    return {"first_percent": first, "later_percent": later, "whole_percent": whole}


def slow_down(rounds: int, steps: int, workers: int) -> dict[str, Any]:
    """Return medians of training with the default settings and with none, and of their ratios within a round."""
    runs: dict[str, list[dict[str, float]]] = {"default": [], "none": []}
    for number in range(rounds):
        for name in sorted(runs, reverse=bool(number % 2)):
            with tempfile.TemporaryDirectory() as folder:
                runs[name].append(train(Path(folder), steps, workers, NONE if name == "none" else ()))
    both = list(zip(runs["default"], runs["none"], strict=True))
    return {name: {key: median(run[key] for run in found) for key in found[0]} for name, found in runs.items()} | {
        "cpu_more": median(a["cpu_seconds"] - b["cpu_seconds"] for a, b in both),
        "cpu_ratio": median(a["cpu_seconds"] / b["cpu_seconds"] for a, b in both),
        "speed_ratio": median(a["images_per_second"] / b["images_per_second"] for a, b in both),
        "cpu_ratios": [a["cpu_seconds"] / b["cpu_seconds"] for a, b in both],
        "speed_ratios": [a["images_per_second"] / b["images_per_second"] for a, b in both],
    }


def share(found: dict[str, Any]) -> dict[str, float]:
    """Return what the snapshots and statistics of a run with the default settings take of its CPU time.

    It is counted from what one takes, as other processes change the CPU time of whole runs by more than that.
    """
    from engine.nn.built_in import letters
    from engine.settings import Settings
    from engine.training.snapshots import schedule_for

    choice = schedule_for(Settings(), letters().layout())
    steps = range(1, found["steps"] + 1)
    counts = {
        "snapshot": sum(map(choice.snapshot_at, steps)),
        "statistics": sum(map(choice.statistics_at, steps)),
    }
    seconds = sum(count * found[name]["cpu_ms"] / 1000 for name, count in counts.items())
    return counts | {"cpu_seconds": seconds, "percent": 100 * seconds / found["training"]["none"]["cpu_seconds"]}


def show(found: dict[str, Any]) -> None:
    """Print what was found as Markdown tables."""
    print("| of one step | CPU ms | training thread ms | MB |\n|---|---|---|---|")
    for name in ("snapshot", "statistics"):
        cost = found[name]
        numbers = (cost[key] for key in ("cpu_ms", "training_thread_ms", "megabytes"))
        print(f"| {name} | {' | '.join(f'{number:.3f}' for number in numbers)} |")
    print(f"\n| query on {found['snapshots']:,} snapshots | ms |\n|---|---|")
    for name, spent in found["queries"].items():
        print(f"| {name} | {spent:.1f} |")
    print(f"\n| training, {found['steps']} steps | images/s | CPU s | skipped | first 32 steps | later | whole run |")
    print("|---|---|---|---|---|---|---|")
    for name, run in ((name, found["training"][name]) for name in ("default", "none")):
        print(f"| {name} | {run['images_per_second']:,.0f} | {run['cpu_seconds']:.2f} | {run['skipped']:.0f} ", end="")
        print(" ".join(f"| {run[f'{part}_percent']:+.1f} %" for part in ("first", "later", "whole")), end=" |\n")
    both = found["training"]
    part = found["share"]
    print(f"\n{part['snapshot']} snapshots and {part['statistics']} times statistics: ", end="")
    print(f"{part['cpu_seconds']:.2f} CPU s, {part['percent']:.1f} % of a run without any")
    print(f"Medians within a round: CPU {both['cpu_more']:+.2f} s, {100 * (both['cpu_ratio'] - 1):+.1f} %; ", end="")
    print(f"images/s {100 * (both['speed_ratio'] - 1):+.1f} %")


def main() -> None:
    """Measure and print."""
    os.environ.update(ONE_THREAD)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--snapshots", type=positive, default=1000, help="in the database that is queried (1.25 MB each)"
    )
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--steps", type=positive, default=STEPS, help="of each training (939: a whole run by default)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"machine": facts(), "snapshots": arguments.snapshots, "steps": arguments.steps}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.db"
        found["snapshot"] = fill(path, arguments.snapshots, True)
        found["queries"] = queries(path)
        found["statistics"] = fill(Path(folder) / "statistics.db", arguments.snapshots, False)
    found["training"] = slow_down(arguments.rounds, arguments.steps, arguments.workers)
    found["share"] = share(found)
    if arguments.json:
        print(json.dumps(found))
        return
    print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
    show(found)


if __name__ == "__main__":
    main()
