"""Whole steps beside PyTorch's, by turns: `pip install -e .[bench]`, then `python -m benchmarks.steps`.

CPU time of one thread, also where others use the machine. A step is the gradient of a batch and ADAM, without reading
data and records; PyTorch computes eagerly, in channels_last, with fused ADAM. The peak is that of our own product on
data that stays in the first cache. Ratios are medians of those of a round.
"""

import argparse
import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from time import process_time
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from benchmarks.arguments import positive
from engine.compute.program import compile_model
from engine.kernels import Array, choose
from engine.nn.built_in import letters
from engine.nn.optimizers import Adam

MICROBATCHES = (4, 8, 16, 32)
AT_ONCE = 64  # images that a program computes together, as a worker does
# Operations of an image in a step, those of Winograd's algorithm: c1 twice, c2, c3 and the dense layers thrice.
STEP = 2 * 389_376 + 3 * 36 * 2 * (9 * 32 * 64 + 64 * 128) + 3 * 2 * (512 * 64 + 64 * 128 + 128 * 26)
SIZE, COLUMNS, TIMES = 64, 48, 500  # of the product that shows the peak
Call = Callable[[], object]


def ours(batch: int, microbatch: int) -> dict[str, Call]:
    """Return a step and a forward pass of gradsum."""
    program = compile_model(letters(), microbatch, choose("numba"), samples=AT_ONCE)
    parameters, gradient = program.layout.zeros(), program.layout.zeros()
    program.layout.initialise(parameters, 0)
    adam = Adam().start(parameters.size, choose("numba"))
    rng = np.random.default_rng(0)
    images = rng.random((AT_ONCE, 28, 28, 1), np.float32)
    labels = rng.integers(0, 26, AT_ONCE).astype(np.int32)

    def step() -> None:
        program.prepare(parameters)
        for _ in range(batch // AT_ONCE):
            program.gradient(images, labels, (), gradient)
        adam.step(parameters, gradient, 1 / batch)

    def forward() -> None:
        for _ in range(batch // AT_ONCE):
            program.evaluate(images, labels)

    return {"step": step, "forward": forward}


def theirs(batch: int) -> dict[str, Call]:
    """Return a step and a forward pass of PyTorch."""
    import torch

    from benchmarks.contender_torch import network

    torch.set_num_threads(1)
    model, measure = network(), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    images = torch.rand(batch, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 26, (batch,))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = measure(model(images), labels)
        loss.backward()
        optimizer.step()
        float(loss.detach())

    def forward() -> None:
        with torch.inference_mode():
            model(images)

    return {"step": step, "forward": forward}


def peak() -> Call:
    """Return many products of small matrices that are in the first cache."""
    import numba

    from engine.kernels.with_numba.products import product

    @numba.njit(error_model="numpy")
    def products(a: Array, b: Array, out: Array) -> None:
        for _ in range(TIMES):
            product(a, 0, SIZE, 1, b, 0, COLUMNS, out, 0, SIZE, SIZE, COLUMNS, False)

    a, b = np.ones(SIZE * SIZE, np.float32), np.ones(SIZE * COLUMNS, np.float32)
    return lambda: products(a, b, np.empty(SIZE * COLUMNS, np.float32))


def measure(batch: int, rounds: int) -> tuple[list[dict[str, Any]], float]:
    """Return a row for each contender and each kind, and the peak in GFLOP/s."""
    contenders = {"PyTorch": theirs(batch)} | {f"micro-batch {m}": ours(batch, m) for m in MICROBATCHES}
    calls = {(kind, who): call for who, both in contenders.items() for kind, call in both.items()}
    calls["peak", ""] = peak()
    for _ in range(3):
        for call in calls.values():
            call()
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            began = process_time()
            call()
            seconds[key].append(process_time() - began)
    top = TIMES * 2 * SIZE * SIZE * COLUMNS / median(seconds.pop(("peak", ""))) / 1e9
    rows = []
    for (kind, who), times in seconds.items():
        us = median(times) / batch * 1e6
        ratio = median(other / one for other, one in zip(seconds[kind, "PyTorch"], times, strict=True))
        row: dict[str, Any] = {"batch": batch, "what": kind, "who": who, "us": us, "images_per_second": 1e6 / us}
        share = STEP / us / 1e3 / top if kind == "step" and who != "PyTorch" else None
        rows.append(row | {"ratio": ratio, "share": share})
    return rows, top


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=positive, default=64, metavar="N", help="a multiple of 64 (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=25, help="steps of each (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, no table")
    options = parser.parse_args()
    if find_spec("torch") is None:
        raise SystemExit("steps needs PyTorch: pip install -e .[bench]")
    rows, top = measure(options.batch_size, options.rounds)
    if options.json:
        print(json.dumps({"peak_gflops": top, "rows": rows}))
        return
    print(f"the peak is {top:.0f} GFLOP/s\n")
    print("| batch | what | who | us an image | images/s | PyTorch / this | share of the peak |\n" + "|---" * 7 + "|")
    for row in rows:
        share = f"{row['share']:.0%}" if row["share"] else ""
        figures = f"{row['us']:.1f} | {row['images_per_second']:,.0f} | {row['ratio']:.2f} | {share}"
        print(f"| {row['batch']} | {row['what']} | {row['who']} | {figures} |")


if __name__ == "__main__":
    main()
