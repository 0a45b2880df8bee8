"""Images/s with 0, 1, 2, ... workers, and where the time of a step goes: `python -m benchmarks.speedup`.

Runs of all kinds take turns, so that a slow spell of the machine hits them all; medians of the rounds are shown.
"""

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from engine.threads import ONE_THREAD


def measure(workers: int, batch: int, steps: int) -> dict[str, float]:
    """Train for `steps` steps and return images/s and milliseconds a step by part."""
    import engine

    with tempfile.TemporaryDirectory() as folder:
        db, out = Path(folder) / "records.db", Path(folder) / "out"
        result = engine.train(db=db, out=out, workers=workers, batch_size=batch, steps=steps, validate_every=1 << 30)
    return {"images_per_second": result.images_per_second} | result.step_ms


def study(counts: list[int], batches: list[int], images: int, rounds: int) -> list[dict[str, Any]]:
    """Measure every combination `rounds` times, in turns, and return a row of medians each."""
    found: defaultdict[tuple[int, int], list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for batch in batches:
            for workers in counts:
                found[batch, workers].append(measure(workers, batch, max(images // batch, 10)))
    rows = []
    for (batch, workers), runs in found.items():
        row: dict[str, Any] = {"batch": batch, "workers": workers}
        row |= {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        serial = found[batch, counts[0]]
        ratios = [run["images_per_second"] / base["images_per_second"] for run, base in zip(runs, serial, strict=True)]
        rows.append(row | {"speedup": statistics.median(ratios)})
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a Markdown table."""
    print("| batch | workers | images/s | speed-up | compute ms | wire ms | reduce ms | optimizer ms | other ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        parts = " | ".join(f"{row[name]:.2f}" for name in ("compute", "wire", "reduce", "optimizer", "other"))
        speed = f"{row['images_per_second']:,.0f} | {row['speedup']:.2f}"
        print(f"| {row['batch']} | {row['workers']} | {speed} | {parts} |")


def main() -> None:
    """Measure and print."""
    import os

    os.environ.update(ONE_THREAD)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4], help="the first one is the base")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--images", type=int, default=16_000, help="images trained on in each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = study(arguments.workers, arguments.batch_size, arguments.images, arguments.rounds)
    if arguments.json:
        print(json.dumps({"machine": facts(), "rows": rows}))
    else:
        print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
        show(rows)


if __name__ == "__main__":
    main()
