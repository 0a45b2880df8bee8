"""gradsum against PyTorch on the same cores: `pip install -e .[bench]`, then `python -m benchmarks.versus_torch`.

Every contender is a process of its own, or several. All take turns, round after round, so that a slow spell of the
machine hits them all; shown are medians, and medians of the ratios within a round.
"""

import argparse
import json
import statistics
import sys
from importlib.util import find_spec
from typing import Any

from benchmarks.arguments import positive
from benchmarks.contenders import OURS, Contender, forward, parallel, serial
from benchmarks.machine import facts
from benchmarks.session import Figures

RATE = "images_per_second"
Runs = dict[str, list[Figures]]  # of one batch size: a contender's figures of each round


def study(contenders: list[Contender], batches: list[int], rounds: int, images: int) -> dict[int, Runs]:
    """Measure everyone `rounds` times, in turns; return the runs of each batch size."""
    found: dict[int, Runs] = {batch: {} for batch in batches}
    for number in range(1, rounds + 1):
        for contender in contenders:
            session = contender.run(batches, images)
            for batch, figures in zip(batches, session, strict=True):
                found[batch].setdefault(contender.name, []).append(figures)
            rates = ", ".join(f"{figures[RATE]:,.0f}" for figures in session)
            print(f"round {number} of {rounds}: {contender.name}: {rates} images/s", file=sys.stderr)
    return found


def rows(found: dict[int, Runs]) -> list[dict[str, Any]]:
    """Return a row a batch size and contender: medians, and what gradsum does, serial and at its best, over them."""
    table = []
    for batch, runs in found.items():
        ours = best(runs, "gradsum")
        for name, each in runs.items():
            medians = {key: statistics.median(run[key] for run in each) for key in each[0]}
            ratios = {"serial / this": ratio(runs["gradsum serial"], each), "best / this": ratio(runs[ours], each)}
            by_cpu = ratio(runs["gradsum serial"], each, "images_per_cpu_second")
            table.append({"contender": name, **medians, **ratios, "serial / this by CPU time": by_cpu})
        theirs = best(runs, "PyTorch")
        print(
            f"batch {batch}: {ours} is {ratio(runs[ours], runs[theirs]):.2f} times as fast as {theirs}", file=sys.stderr
        )
    return table


def best(runs: Runs, maker: str) -> str:
    """Return the fastest contender of gradsum or PyTorch; runs that have nothing to do with each other are none."""
    able = [name for name in runs if name.startswith(maker)]
    return max(able, key=lambda name: statistics.median(run[RATE] for run in runs[name]))


def ratio(mine: list[Figures], others: list[Figures], rate: str = RATE) -> float:
    """Return the median of the ratios within rounds."""
    return statistics.median(one[rate] / other[rate] for one, other in zip(mine, others, strict=True))


def show(table: list[dict[str, Any]]) -> None:
    """Print the rows as a Markdown table."""
    ratios = [key for key in table[0] if " / this" in key]
    print(
        "| batch | contender | images/s |",
        *(f"{r} |" for r in ratios),
        "first step s | peak MB | peak MB of a worker |",
    )
    print("|" + "---|" * (6 + len(ratios)))
    for row in table:
        first = f"{row['first_step']:.1f}" if "first_step" in row else ""
        memory = f"{row['peak_mb']:.0f} | " + (f"{row['peak_worker_mb']:.0f}" if row["peak_worker_mb"] else "")
        cells = [f"{row['batch']:.0f}", row["contender"], f"{row['images_per_second']:,.0f}"]
        print("| " + " | ".join([*cells, *(f"{row[r]:.2f}" for r in ratios), first, memory]) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--batch-size", type=positive, nargs="+", default=[64, 256], metavar="N", help="default: 64 256"
    )
    parser.add_argument("--rounds", type=positive, default=5, help="sessions of each (default: 5)")
    parser.add_argument("--images", type=positive, default=9_600, help="a session, for each core (default: 9600)")
    parser.add_argument(
        "--cores",
        type=positive,
        nargs="+",
        default=[1, 2],
        metavar="N",
        help="workers, threads and ranks (default: 1 2)",
    )
    parser.add_argument("--serial", action="store_true", help="only what computes by one thread, and forward passes")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    if find_spec("torch") is None:
        raise SystemExit("versus_torch needs PyTorch: pip install -e .[bench]")
    parts = {"train": serial() if a.serial else [Contender("gradsum serial", OURS), *parallel(a.cores)]}
    if a.serial:
        parts["forward"] = forward()
    found = {name: rows(study(part, a.batch_size, a.rounds, a.images)) for name, part in parts.items()}
    if a.json:
        print(json.dumps({"machine": facts(), **found}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts().items()))
    for table in found.values():
        print()
        show(table)


if __name__ == "__main__":
    main()
