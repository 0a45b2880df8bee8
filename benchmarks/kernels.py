"""Where the time of one worker goes: `python -m benchmarks.kernels [--json]`, one thread, the letters network.

For each backend and micro-batch size: images a second, and for each operation the time an image, GFLOP/s, and the share
of what a large matrix product reaches on this core. GFLOP/s count the direct formula; Winograd's algorithm needs 1/4 of
its multiplications, so its share may pass 100 %. Backends and sizes take turns; shown are medians.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.arguments import positive
from engine.compute.program import OperationInfo, compile_model
from engine.compute.program.operations import Operation
from engine.kernels import choose
from engine.nn.built_in import letters

MICROBATCHES = (4, 8, 16, 32)
BATCH = 64  # samples a step, computed together; parameters are prepared once a step


@dataclass(frozen=True)
class Line:
    """One operation, or the whole step with `prepare`: microseconds an image, and the rate of its arithmetic."""

    backend: str
    microbatch: int
    name: str
    kernel: str
    forward: float
    backward: float
    gflops: float
    peak_share: float


class Trial:
    """A compiled network, timed as a whole or operation by operation."""

    def __init__(self, backend: str, microbatch: int) -> None:
        self.backend, self.microbatch = backend, microbatch
        self.program = compile_model(letters(), microbatch, choose(backend), samples=BATCH)
        self._parameters, self._out = self.program.layout.zeros(), self.program.layout.zeros()
        self.program.layout.initialise(self._parameters, 0)
        rng = np.random.default_rng(0)
        self._images = rng.random((BATCH, 28, 28, 1), np.float32)
        self._labels = rng.integers(0, 26, BATCH).astype(np.int32)
        self.seconds: list[float] = []  # of each step
        self.parts: dict[tuple[str, str], list[float]] = {}  # of each operation and direction, in each step

    def step(self) -> None:
        """Compute one batch."""
        for times in self.parts.values():
            times.append(0.0)
        began = perf_counter()
        self.program.prepare(self._parameters)
        self.program.gradient(self._images, self._labels, (), self._out)
        self.seconds.append(perf_counter() - began)

    def watched(self) -> "Trial":
        """Put a stopwatch around every operation; return the trial."""
        for operation in self.program._parts():
            for direction in ("forward", "backward"):
                self._watch(operation, direction)
        return self

    def _watch(self, operation: Operation, direction: str) -> None:
        plain: Callable[..., None] = getattr(operation, direction)
        times = self.parts.setdefault((operation.step.name, direction), [])

        def timed(*arguments: object) -> None:
            began = perf_counter()
            plain(*arguments)
            times[-1] += perf_counter() - began

        setattr(operation, direction, timed)


def peak() -> float:
    """Return the GFLOP/s of a product of two 512 x 512 matrices, the best of many."""
    a = np.random.default_rng(0).random((512, 512), np.float32)
    out, best = np.empty_like(a), float("inf")
    for _ in range(30):
        began = perf_counter()
        np.dot(a, a, out=out)
        best = min(best, perf_counter() - began)
    return 2 * 512**3 / best / 1e9


def lines(whole: Trial, parts: Trial, top: float) -> list[Line]:
    """Return the whole step and each operation of a pair of trials; `top` is the peak in GFLOP/s."""

    def line(name: str, kernel: str, forward: float, backward: float, flops: int) -> Line:
        rate = flops / (forward + backward) / 1e3
        return Line(whole.backend, whole.microbatch, name, kernel, forward, backward, rate, rate / top)

    def micros(operation: OperationInfo, direction: str) -> float:
        return median(parts.parts[operation.name, direction]) / BATCH * 1e6

    operations = parts.program.operations()
    flops = {o.name: o.flops_forward + o.flops_backward for o in operations}
    out = [line("step", "", median(whole.seconds) / BATCH * 1e6, 0.0, sum(flops.values()))]
    for o in operations:
        out.append(line(o.name, o.kernel, micros(o, "forward"), micros(o, "backward"), flops[o.name]))
    return out


def show(found: list[Line], top: float) -> None:
    """Print one table for each backend and micro-batch size."""
    console = Console()
    console.print(f"one thread, a batch of {BATCH}; the peak of a matrix product is {top:.0f} GFLOP/s")
    for step in (line for line in found if line.name == "step"):
        title = f"{step.backend}, micro-batch {step.microbatch}: {1e6 / step.forward:,.0f} images/s"
        table = Table("operation", "kernel", "forward us", "backward us", "GFLOP/s", "of peak", title=title)
        for line in found:
            if (line.backend, line.microbatch) == (step.backend, step.microbatch):
                rate = (f"{line.gflops:.1f}", f"{line.peak_share:.0%}") if line.gflops else ("", "")
                backward = f"{line.backward:.1f}" if line.name != "step" else ""
                table.add_row(line.name, line.kernel, f"{line.forward:.1f}", backward, *rate)
        console.print(table)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object, no tables")
    parser.add_argument("--rounds", type=positive, default=15, help="steps of each kind (%(default)s)")
    parser.add_argument("--backends", nargs="+", default=["numpy", "numba"], choices=["numpy", "numba"])
    options = parser.parse_args()
    with threadpool_limits(1):
        found, top = measure(options.backends, options.rounds)
    if options.json:
        print(json.dumps({"batch": BATCH, "peak_gflops": top, "lines": [asdict(line) for line in found]}))
    else:
        show(found, top)


def measure(backends: list[str], rounds: int) -> tuple[list[Line], float]:
    """Return all lines, and the peak."""
    sizes = [(backend, microbatch) for backend in backends for microbatch in MICROBATCHES]
    pairs = [(Trial(*size), Trial(*size).watched()) for size in sizes]
    for _ in range(rounds):
        for whole, parts in pairs:
            whole.step()
            parts.step()
    top = peak()
    return [line for whole, parts in pairs for line in lines(whole, parts, top)], top


if __name__ == "__main__":
    main()
