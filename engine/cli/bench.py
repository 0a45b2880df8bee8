"""`gradsum bench`: how much faster more workers are on this machine, and why not faster still."""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

Row = dict[str, Any]
PARTS = ("compute", "wire", "reduce", "optimizer", "other")


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "bench",
        help="measure the speed-up of more workers",
        description="Train the letters network with 0, 1, 2, ... workers in turns, round after round, so that a slow "
        "spell of the machine hits all; show medians, the speed-up over 0 workers, and where the time of a step goes.",
    )
    parser.add_argument("--workers", type=int, nargs="+", metavar="N", help="numbers to try (default: 0, 1, 2, 4 ...)")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[64, 256], metavar="N", help="default: 64 256")
    parser.add_argument("--weak", action="store_true", help="let the batch grow with the workers: weak scaling")
    parser.add_argument("--images", type=int, default=16_000, metavar="N", help="images a run (default: 16000)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each kind (default: 5)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the speed-ups (PNG, SVG or PDF)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Measure, print and draw."""
    from engine.errors import SettingsError
    from engine.settings import usable_cores

    counts = sorted({0, *(arguments.workers or _up_to(usable_cores()))})
    if min(*counts, arguments.rounds, arguments.images, *arguments.batch_size) < 0 or arguments.rounds < 1:
        raise SettingsError("bench: workers are at least 0, everything else at least 1")
    rows = [row for batch in arguments.batch_size for row in study(counts, batch, arguments)]
    if arguments.json:
        print(json.dumps({"cores": usable_cores(), "weak": arguments.weak, "rows": rows}))
    else:
        show(rows)
    if arguments.plot:
        plot(rows, arguments.plot, weak=arguments.weak)
        print(f"plot  {arguments.plot}")
    return 0


def _up_to(cores: int) -> list[int]:
    """Return 1, 2, 4, ... and the number of cores."""
    return [1 << i for i in range(cores.bit_length()) if 1 << i <= cores] + [cores]


def study(counts: list[int], batch: int, arguments: argparse.Namespace) -> list[Row]:
    """Measure every number of workers `rounds` times, in turns, and return a row of medians for each."""
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for _ in range(arguments.rounds):
        for count in counts:
            size = batch * max(count, 1) if arguments.weak else batch
            found[count].append(measure(count, size, max(arguments.images // size, 10)))
    rows = []
    for count, runs in found.items():
        row: Row = {"batch": batch * max(count, 1) if arguments.weak else batch, "workers": count}
        row |= {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        pairs = zip(runs, found[0], strict=True)
        row["speedup"] = statistics.median(run["images_per_second"] / base["images_per_second"] for run, base in pairs)
        rows.append(row)
    for row in rows:
        row["limit"] = limit(rows, row)
    return rows


def measure(workers: int, batch: int, steps: int) -> dict[str, float]:
    """Train for `steps` steps and return images/s, and the milliseconds of each part of a step."""
    import engine

    with tempfile.TemporaryDirectory(prefix="gradsum-bench-") as folder:
        db, out = Path(folder) / "records.db", Path(folder) / "out"
        result = engine.train(db=db, out=out, workers=workers, batch_size=batch, steps=steps, validate_every=1 << 30)
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


def plot(rows: list[Row], path: Path, *, weak: bool) -> None:
    """Draw speed-up against workers, with the ideal line and the limit; SettingsError without matplotlib."""
    from engine.errors import SettingsError

    try:
        import matplotlib as mpl
    except ImportError:
        raise SettingsError("--plot needs matplotlib: pip install 'gradsum[plot]'") from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    most = max(row["workers"] for row in rows)
    axis.plot([1, most], [1, most], color="grey", linewidth=0.8, label="ideal")
    for colour, base in zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7"), _bases(rows), strict=False):
        some = [row for row in base if row["workers"]]
        workers = [row["workers"] for row in some]
        name = f"batch {some[0]['batch']}" + (" per worker" if weak else "")
        axis.plot(workers, [row["speedup"] for row in some], "o-", color=colour, label=name)
        if some[0]["limit"] is not None:
            axis.plot(workers, [row["limit"] for row in some], ":", color=colour, label=f"{name}, limit")
    axis.set(xlabel="workers", ylabel="speed-up over 0 workers", title="weak scaling" if weak else "strong scaling")
    axis.set_xticks(sorted({row["workers"] for row in rows if row["workers"]}))
    axis.set_ylim(bottom=0)
    axis.legend()
    figure.savefig(path, dpi=120)


def _bases(rows: list[Row]) -> list[list[Row]]:
    """Group rows by study: each begins with a row of 0 workers."""
    groups: list[list[Row]] = []
    for row in rows:
        if row["workers"] == 0:
            groups.append([])
        groups[-1].append(row)
    return groups
