"""`gradsum bench`: how much faster training is with more workers on this machine, and what limits it."""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from engine.cli.command import Command
from engine.cli.picture_options import check_place, need_matplotlib

Row = dict[str, Any]
PARTS = ("compute", "wire", "reduce", "optimizer", "other")
LEAST_STEPS = 10  # of a run, even if fewer images were asked for
NEVER = 1 << 30  # steps; each run validates and saves once, at its end, outside of what is measured


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "--workers", type=int, nargs="+", metavar="N", help="numbers of workers to try (default: 0, 1, 2, 4 ...)"
    )
    parser.add_argument(
        "--batch-size", type=int, nargs="+", default=[64, 256], metavar="N", help="batch sizes to try (default: 64 256)"
    )
    parser.add_argument(
        "--weak", action="store_true", help="weak scaling: multiply the batch size by the number of workers"
    )
    parser.add_argument("--images", type=int, default=16_000, metavar="N", help="images per run (default: %(default)s)")
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        metavar="N",
        help="runs per number and size (default: %(default)s)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the speed-ups (PNG, SVG or PDF)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and draw."""
    from engine.system.cores import usable_cores

    counts = sorted({0, *(arguments.workers or _up_to(usable_cores()))})
    _check(counts, arguments)
    batches = dict.fromkeys(arguments.batch_size)
    rows = [row for batch in batches for row in study(counts, batch, arguments)]
    if arguments.json:
        print(json.dumps({"cores": usable_cores(), "weak": arguments.weak, "rows": rows}))
    else:
        show(rows)
    if arguments.plot:
        from engine.reports.plots import speedup, style

        with style.styled():
            style.save(speedup.draw(rows, weak=arguments.weak, cores=usable_cores()), arguments.plot)
        print(f"plot  {arguments.plot}", file=sys.stderr if arguments.json else sys.stdout)
    return 0


def _check(counts: list[int], arguments: argparse.Namespace) -> None:
    """Raise SettingsError for values that make no sense, before anything is measured."""
    from engine.errors import SettingsError
    from engine.settings import Settings

    for option, values in (
        ("images", [arguments.images]),
        ("rounds", [arguments.rounds]),
        ("batch-size", arguments.batch_size),
    ):
        if min(values) < 1:
            raise SettingsError(f"--{option} must be at least 1, got {min(values)}")
    for workers in counts:
        for batch in arguments.batch_size:
            Settings(workers=workers, batch_size=_size(batch, workers, weak=arguments.weak))
    if arguments.plot:
        if not any(counts):
            raise SettingsError("--plot draws speed-up against workers: give --workers a number above 0")
        check_place(arguments.plot, "--plot")
        need_matplotlib()


def _up_to(cores: int) -> list[int]:
    """Return 1, 2, 4, ... and the number of cores."""
    return [1 << i for i in range(cores.bit_length()) if 1 << i <= cores] + [cores]


def _size(batch: int, workers: int, *, weak: bool) -> int:
    """Return how many samples a batch has."""
    return batch * max(workers, 1) if weak else batch


def study(counts: list[int], batch: int, arguments: argparse.Namespace) -> list[Row]:
    """Measure every number of workers `rounds` times, in turns, and return a row of medians for each."""
    sizes = {count: _size(batch, count, weak=arguments.weak) for count in counts}
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for _ in range(arguments.rounds):
        for count, size in sizes.items():
            found[count].append(measure(count, size, max(arguments.images // size, LEAST_STEPS)))
    rows = []
    for count, runs in found.items():
        row: Row = {"study": batch, "batch": sizes[count], "workers": count}
        row |= {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        pairs = zip(runs, found[0], strict=True)
        speedups = [run["images_per_second"] / base["images_per_second"] for run, base in pairs]
        row |= {"speedup": statistics.median(speedups), "slowest": min(speedups), "fastest": max(speedups)}
        rows.append(row)
    for row in rows:
        row["limit"] = limit(rows, row)
    return rows


def measure(workers: int, batch: int, steps: int) -> dict[str, float]:
    """Train for `steps` steps and return images/s, and the milliseconds of each part of a step.

    Raises KeyboardInterrupt if the run was interrupted, which `engine.train` itself would only report.
    """
    import engine

    class Interruptible(engine.Reporter):
        interruptions = 0

        def interrupted(self) -> None:
            self.interruptions += 1

    reporter = Interruptible()
    with tempfile.TemporaryDirectory(prefix="gradsum-bench-") as folder:
        places: dict[str, Any] = {"db": Path(folder) / "records.db", "out": Path(folder) / "out"}
        size: dict[str, Any] = {"workers": workers, "batch_size": batch, "steps": steps}
        # Without snapshots: the first steps all have one, and a short run would do little else.
        rarely: dict[str, Any] = {
            "validate_every": NEVER,
            "checkpoint_every": NEVER,
            "snapshot_first": 0,
            "snapshot_every": 0,
            "statistics_every": 0,
        }
        result = engine.train(**places, **size, **rarely, reporter=reporter)
    if reporter.interruptions:
        raise KeyboardInterrupt
    return {"images_per_second": result.images_per_second} | result.step_ms


def limit(rows: list[Row], row: Row) -> float | None:
    """Return the speed-up that the serial share of a step allows (Amdahl 1967); None without a run of 1 worker.

    With one worker a step takes `compute` and a rest that more workers do not share.
    """
    one = next((r for r in rows if r["workers"] == 1), None)
    if one is None or row["workers"] == 0:
        return None
    serial = sum(one[part] for part in PARTS if part != "compute")
    growth = row["batch"] / one["batch"]
    whole = 1000 * rows[0]["batch"] / rows[0]["images_per_second"]
    return float(whole * growth / (serial + one["compute"] * growth / row["workers"]))


def show(rows: list[Row]) -> None:
    """Print the rows as a Markdown table."""
    print("| batch | workers | images/s | speed-up | limit | " + " | ".join(f"{part} ms" for part in PARTS) + " |")
    print("|" + "---|" * (5 + len(PARTS)))
    for row in rows:
        bound = "" if row["limit"] is None else f"{row['limit']:.2f}"
        parts = " | ".join(f"{row[part]:.2f}" for part in PARTS)
        speed = f"{row['images_per_second']:,.0f} | {row['speedup']:.2f} | {bound}"
        print(f"| {row['batch']} | {row['workers']} | {speed} | {parts} |")


COMMAND = Command(
    "bench",
    add_options,
    run,
    examples=(
        "gradsum bench",
        "gradsum bench --workers 1 2 4 --plot speedup.png",
    ),
    description="Trains the letters network with 0, 1, 2, ... workers in turns, round after round, so that a slow "
    "spell of the machine affects all of them. Prints medians, the speed-up over 0 workers, and where the time of a "
    "step goes.",
)
