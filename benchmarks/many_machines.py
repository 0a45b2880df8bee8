"""Step time of many machines, measured in network namespaces and simulated: `python -m benchmarks.many_machines`.

Each machine, the coordinator's included, has a namespace behind a link of so many Mbit/s each way. All share the
processors of this one, which cannot compute for all; so the network is one that takes next to no time to compute
(`mlp`), and what is measured is what a step costs besides. Root only.
"""

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from benchmarks.arguments import positive
from benchmarks.machine import facts
from benchmarks.network import possible
from benchmarks.simulate import GIGABIT, WARM
from benchmarks.simulation.machines import Cluster, Shape
from benchmarks.simulation.model import Costs, without_keys
from engine.nn.built_in import mlp
from engine.system.blas import ONE_THREAD
from tests.support.chaos.arena import TELLING
from tests.support.machines import Machines, machines

IMAGES = 64  # of each process in a step, as in the simulation
BYTES = 4 * mlp().layout().size
PORT = 5555
PATIENCE = 300.0  # seconds without a step
SHAPES: dict[Shape, tuple[str, ...]] = {
    "singles": ("--relay", "off"),
    "star": ("--relay", "on", "--topology", "star"),
    "tree": ("--relay", "on", "--topology", "tree"),
    "exchange": ("--relay", "on", "--topology", "exchange"),
}


def limit(net: Machines, mbit: int) -> None:
    """Let the link of every machine carry so much each way."""
    burst = max(1 << 17, mbit * 250)  # 2 ms, but at least one segment as the kernel passes it on: 64 KiB
    limits = ("rate", f"{mbit}mbit", "burst", str(burst), "limit", str(1 << 24))
    for node in net.nodes:
        for inside, device in ((("ip", "netns", "exec", net.namespace(node)), "e0"), ((), net.cable(node))):
            command = [*inside, "tc", "qdisc", "add", "dev", device, "root", "tbf", *limits]
            subprocess.run(command, check=True, capture_output=True)


@contextmanager
def training(net: Machines, shape: Shape, processes: int, folder: Path) -> Iterator[IO[bytes]]:
    """Train with the first machine as coordinator, and `processes` on each of the others; yield what is told."""
    head, *others = net.nodes
    address, reading, writing = f"tcp://{net.address(head)}:{PORT}", *os.pipe()
    count = processes * len(others)
    command = ["coordinator", "--bind", address, "--insecure", "--model", "mlp", "--batch-size", str(IMAGES * count)]
    command += ["--microbatch", "16", "--min-workers", str(count), "--steps", "1000000", "--quiet"]
    command += ["--validate-every", "1000000", "--checkpoint-every", "1000000", "--snapshot-first", "0"]
    silent: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    coordinator = net.on(head, sys.executable, str(TELLING), str(writing), *command)
    running = [subprocess.Popen(coordinator, pass_fds=(writing,), **silent)]
    os.close(writing)
    with open(reading, "rb", buffering=0) as told:  # noqa: PTH123 - a descriptor
        try:
            worker = [sys.executable, "-m", "gradsum", "worker", address, "--insecure", "--processes", str(processes)]
            worker += SHAPES[shape]
            running += [subprocess.Popen(net.on(node, *worker), **silent) for node in others]
            yield told
        finally:
            for process in running:
                process.terminate()
            for process in reversed(running):
                process.wait()


def moments(told: IO[bytes], steps: int) -> list[float]:
    """Return when each of so many steps was taken, after those in which speeds are learnt."""
    found: list[float] = []
    while len(found) < WARM + steps:
        if not select.select([told], [], [], PATIENCE)[0]:
            raise SystemExit(f"no step for {PATIENCE:g} seconds")
        line = told.readline()
        if not line:
            raise SystemExit("the coordinator has ended")
        if line.startswith(b"step"):
            found.append(time.monotonic())
    return found[WARM:]


def measure(count: int, processes: int, mbit: int, shape: Shape, steps: int) -> dict[str, float]:
    """Return the median step in milliseconds, and its quartiles."""
    with tempfile.TemporaryDirectory(prefix="machines-") as place, machines(count + 1, Path(place)) as net:
        limit(net, mbit)
        with training(net, shape, processes, Path(place)) as told:
            times = moments(told, steps)
    low, middle, high = statistics.quantiles([1000 * (b - a) for a, b in pairwise(times)], n=4)
    return {"ms": middle, "low": low, "high": high}


def simulated(count: int, processes: int, mbit: int, shape: Shape, microbatch: float) -> float:
    """Return the median step in milliseconds that is predicted, for micro-batches of so many seconds."""
    costs = replace(without_keys(Costs()), vector=BYTES, microbatch=microbatch)
    cluster = Cluster(count, processes, mbit / 1000 * GIGABIT, shape, costs)
    return 1000 * statistics.median([cluster.step(step) for step in range(1, WARM + 6)][WARM:])


def main() -> None:
    """Measure and simulate, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=positive, nargs="+", default=[2, 4, 8], help="besides the coordinator's")
    parser.add_argument("--processes", type=positive, default=2, help="of each")
    parser.add_argument("--mbit", type=positive, nargs="+", default=[100, 1000], help="of each link")
    parser.add_argument("--shapes", choices=SHAPES, nargs="+", default=list(SHAPES))
    parser.add_argument("--steps", type=positive, default=30, help="of each measurement")
    parser.add_argument("--microbatch", type=float, default=0.5, help="milliseconds of one, for the simulation")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    if not possible():
        raise SystemExit("many_machines: only root can make the network namespaces that this needs")
    os.environ.update(ONE_THREAD)
    rows = []
    for mbit in a.mbit:
        for count in a.machines:
            for shape in a.shapes:
                size = count, a.processes, mbit, shape
                found = measure(*size, a.steps) | {"simulated": simulated(*size, a.microbatch / 1000)}
                row = {"mbit": mbit, "machines": count, "shape": shape} | {k: round(v, 1) for k, v in found.items()}
                rows.append(row)
                if not a.json:
                    print(", ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    if a.json:
        print(json.dumps({"machine": facts(), "rows": rows}))


if __name__ == "__main__":
    main()
