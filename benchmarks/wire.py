"""Step time against the number of workers and the bandwidth of the coordinator's link: `python -m benchmarks.wire`.

The workers run in a network namespace behind a link of 100 Mbit/s, 1 Gbit/s, or as fast as it goes; each brings its own
batch of 64 images, so the batch grows with them. Root only. A model is fitted to what was measured, by least squares of
the relative errors, none of its constants negative:

    step = compute * max(1, N / cores) + fixed + worker * N + curve * N [with keys] + link * 2 * N * bytes / bandwidth

and predicts the efficiency, which is compute / step, where every worker has a core of its own. What is measured here is
a few workers on the cores of one machine, which they share with the coordinator; the link is emulated.
"""

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import nnls

from benchmarks.arguments import positive
from benchmarks.machine import facts
from benchmarks.network import HERE, namespace, possible
from engine.launch.command import worker_command
from engine.system.blas import ONE_THREAD
from engine.system.cores import usable_cores
from tests.support.chaos.arena import TELLING, free_port

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = 64  # of each worker in a step
BYTES = 4 * 137_178  # parameters of `letters`
WARM = 5  # steps with all workers before the clock starts
QUANTILE = 20  # percent of the steps that are faster than what is shown: the machine may have other work, too
PATIENCE = 120.0  # seconds without a step
NAMES = ("compute", "fixed", "worker", "curve", "link")
LINKS = (100, 1000, 10_000, 25_000)  # Mbit/s for which a prediction is made
PREDICTED = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Point:
    """One measurement: the usual step in milliseconds. `mbit` is None for the link as it is."""

    workers: int
    mbit: int | None
    curve: bool
    step_ms: float
    fitted_ms: float = 0.0


def measure(workers: int, mbit: int | None, curve: bool, steps: int) -> Point:
    """Train with `workers` behind a link and return the usual time of a step in which all took part."""
    with tempfile.TemporaryDirectory(prefix="wire-") as place, namespace(mbit) as inside:
        folder = Path(place)
        address = f"tcp://{HERE}:{free_port()}"
        keys = ["--key", str(folder / "key")] if curve else ["--insecure"]
        reading, writing = os.pipe()
        command = ["coordinator", "--bind", address, *keys, "--batch-size", str(IMAGES * workers), "--steps", "1000000"]
        command += ["--validate-every", "1000000", "--checkpoint-every", "1000000", "--quiet"]
        coordinator = subprocess.Popen(
            [sys.executable, str(TELLING), str(writing), *command],
            cwd=folder,
            pass_fds=(writing,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        running = [coordinator]
        with open(reading, "rb", buffering=0) as told:  # noqa: PTH123 - a descriptor
            try:
                while curve and not (folder / "key").exists() and coordinator.poll() is None:
                    time.sleep(0.05)
                worker = [*inside, *worker_command(address, *keys)]
                running += [subprocess.Popen(worker, cwd=folder, stderr=subprocess.DEVNULL) for _ in range(workers)]
                return Point(workers, mbit, curve, 1000 * _usual_step(told, workers, steps))
            finally:
                for process in running:
                    process.send_signal(signal.SIGTERM)
                for process in reversed(running):
                    process.wait()


def measure_serial(steps: int) -> Point:
    """Return the usual time of a step of one process alone, which is all computing."""
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        reading, writing = os.pipe()
        options = ("train", "--workers", "0", "--batch-size", str(IMAGES), "--steps", str(WARM + steps + 1), "--quiet")
        command = [sys.executable, str(TELLING), str(writing), *options]
        with open(reading, "rb", buffering=0) as told:  # noqa: PTH123 - a descriptor
            process = subprocess.Popen(command, cwd=folder, pass_fds=(writing,), stdout=subprocess.DEVNULL)
            os.close(writing)
            found = _usual_step(told, 0, steps)
            process.wait()
    return Point(0, None, False, 1000 * found)


def _usual_step(told: Any, workers: int, steps: int) -> float:
    moments: list[float] = []
    while len(moments) < WARM + steps:
        if not select.select([told], [], [], PATIENCE)[0]:
            raise SystemExit(f"no step for {PATIENCE:g} seconds")
        line = told.readline().split()
        if not line:
            raise SystemExit("the coordinator has ended")
        if line[0] == b"step":
            moments = [*moments, time.monotonic()] if len(line) == 2 + workers else []
    return float(np.percentile(np.diff(moments[WARM:]), QUANTILE))


def terms(workers: int, mbit: float | None, curve: bool, cores: float) -> list[float]:
    """Return what each constant of the model is multiplied with; times in milliseconds. 0 workers: the serial path."""
    if not workers:
        return [1.0, 0.0, 0.0, 0.0, 0.0]
    transfer = 0.0 if mbit is None else 2 * workers * BYTES * 8 / (mbit * 1e3)
    return [max(1.0, workers / cores), 1.0, workers, workers * curve, transfer]


def fit(points: list[Point]) -> dict[str, float]:
    """Return the constants of the model, in milliseconds (`link` is a factor)."""
    rows = np.array([terms(p.workers, p.mbit, p.curve, usable_cores()) for p in points])
    measured = np.array([p.step_ms for p in points])
    constants, _ = nnls(rows / measured[:, None], np.ones(len(points)))
    return dict(zip(NAMES, map(float, constants), strict=True))


def predict(constants: dict[str, float], workers: int, mbit: float | None, curve: bool, cores: float) -> float:
    """Return the step time in milliseconds that the model gives."""
    return float(np.dot(terms(workers, mbit, curve, cores), [constants[name] for name in NAMES]))


def efficiency(constants: dict[str, float], workers: int, mbit: float, curve: bool) -> float:
    """Return the share of a step in which a worker computes, each having a core of its own."""
    return constants["compute"] / predict(constants, workers, mbit, curve, cores=float("inf"))


def link(mbit: int | None) -> str:
    """Return how to call a bandwidth."""
    return "as it is" if mbit is None else f"{mbit} Mbit/s" if mbit < 1000 else f"{mbit // 1000} Gbit/s"


def name_of(mbit: int | None, curve: bool) -> str:
    """Return how to call a link with or without keys."""
    return link(mbit) + (", CURVE" if curve else "")


def show(points: list[Point], constants: dict[str, float]) -> None:
    """Print what was measured, the constants, and what they predict."""
    print("| link | keys | workers | step ms | model ms | residual |\n|---|---|---|---|---|---|")
    for p in points:
        residual = f"{100 * (p.fitted_ms / p.step_ms - 1):+.0f} %"
        keys = "CURVE" if p.curve else "none"
        print(f"| {link(p.mbit)} | {keys} | {p.workers} | {p.step_ms:.1f} | {p.fitted_ms:.1f} | {residual} |")
    print("\n" + ", ".join(f"{name} {value:.2f}" for name, value in constants.items()) + " (ms; link: a factor)\n")
    print("| link | keys | " + " | ".join(map(str, PREDICTED)) + " |\n" + "|---" * (2 + len(PREDICTED)) + "|")
    for mbit in LINKS:
        for curve in (False, True):
            found = [f"{100 * efficiency(constants, n, mbit, curve):.0f} %" for n in PREDICTED]
            print(f"| {link(mbit)} | {'CURVE' if curve else 'none'} | " + " | ".join(found) + " |")


def plot(points: list[Point], constants: dict[str, float], path: Path) -> None:
    """Draw the step times with the model, and the efficiency that it predicts."""
    from engine.reports.plots import style

    with style.styled():
        figure = style.new_figure(11, 5, "Workers behind a link, letters network, 64 images a worker")
        left, right = figure.subplots(1, 2)
        colours = dict(zip((*LINKS, None), style.COLOURS, strict=False))
        _draw_steps(left, [p for p in points if p.workers], constants, colours)
        _draw_efficiency(right, constants, colours)
        style.save(figure, path)
    print(f"plot  {path}", file=sys.stderr)


def _draw_steps(axes: "Axes", points: list[Point], constants: dict[str, float], colours: dict[int | None, str]) -> None:
    counts = np.linspace(1, max(p.workers for p in points), 50)
    for mbit, curve in dict.fromkeys((p.mbit, p.curve) for p in points):
        measured = [(p.workers, p.step_ms) for p in points if (p.mbit, p.curve) == (mbit, curve)]
        model = [predict(constants, n, mbit, curve, usable_cores()) for n in counts]
        axes.plot(counts, model, "--" if curve else "-", color=colours[mbit], label=name_of(mbit, curve))
        axes.plot(*zip(*measured, strict=True), "o", color=colours[mbit], mfc="white" if curve else colours[mbit])
    axes.set(xlabel="workers", ylabel="step [ms]", yscale="log", title="measured (points) and model")
    axes.set_ylim(5, 4 * max(p.step_ms for p in points))  # room for the legend
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xticks(sorted({p.workers for p in points}))
    axes.legend(ncols=2, loc="upper left")


def _draw_efficiency(axes: "Axes", constants: dict[str, float], colours: dict[int | None, str]) -> None:
    counts = np.geomspace(1, PREDICTED[-1], 100)
    for mbit in LINKS:
        for curve in (False, True):
            found = [100 * efficiency(constants, n, mbit, curve) for n in counts]
            axes.plot(counts, found, "--" if curve else "-", color=colours[mbit], label=name_of(mbit, curve))
    axes.set(xlabel="workers", ylabel="efficiency [%]", xscale="log", ylim=(0, 100))
    axes.set_title("predicted, a core for each worker")
    axes.set_xticks(PREDICTED, labels=map(str, PREDICTED))
    axes.minorticks_off()
    axes.legend(loc="upper right")


def main() -> None:
    """Measure, fit, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=positive, nargs="+", default=[1, 2, 4])
    parser.add_argument("--mbit", type=int, nargs="+", default=[100, 1000, 0], help="0: the link as it is")
    parser.add_argument("--steps", type=positive, default=30, help="steps of each measurement")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    if not possible():
        raise SystemExit("wire: only root can make the network namespaces that this needs")
    os.environ.update(ONE_THREAD)
    cases = [(n, mbit or None, curve) for mbit in a.mbit for curve in (False, True) for n in a.workers]
    found = [measure_serial(a.steps), *(measure(*case, a.steps) for case in cases)]
    constants = fit(found)
    points = [replace(p, fitted_ms=predict(constants, p.workers, p.mbit, p.curve, usable_cores())) for p in found]
    if a.json:
        print(json.dumps({"machine": facts(), "constants": constants, "points": [asdict(p) for p in points]}))
    else:
        print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
        show(points, constants)
    if a.plot:
        plot(points, constants, a.plot)


if __name__ == "__main__":
    main()
