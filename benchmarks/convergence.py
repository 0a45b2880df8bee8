"""Steps, wall and CPU seconds until a network reads well: `python -m benchmarks.convergence [--plot FILE]`.

SGD, momentum and ADAM on the generated letters (to 80 % correct) and, where it is on this machine, on MNIST (to 98 %).
Each optimizer's learning rate is the best of a small grid, which is shown; then it is measured with 1 and 2 workers.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from engine.errors import DataError
from engine.system.blas import ONE_THREAD

TARGETS = {"letters": 80.0, "mnist": 98.0}
GRID = {"sgd": (0.01, 0.03, 0.1), "momentum": (0.003, 0.01, 0.03), "adam": (0.0005, 0.001, 0.002)}
EVERY = 25  # steps between validations


@dataclass(frozen=True)
class Run:
    """One run until the target, or until the time was up. `curve`: (wall seconds, percent correct)."""

    data: str
    optimizer: str
    lr: float
    workers: int
    reached: bool
    steps: int
    wall_seconds: float
    cpu_seconds: float
    curve: list[tuple[float, float]]


def measure(data: Any, optimizer: str, lr: float, workers: int, limit: float) -> Run:
    """Train until the target is reached, at most `limit` seconds."""
    import engine
    from engine.records import reading

    target = TARGETS[data.name]
    with tempfile.TemporaryDirectory() as folder:
        db, out = Path(folder) / "records.db", Path(folder) / "out"
        options: dict[str, Any] = {
            "optimizer": optimizer,
            "lr": lr,
            "workers": workers,
            "time_limit": limit,
            "target": target,
        }
        result = engine.train("letters", data, db=db, out=out, validate_every=EVERY, **options)
        with reading(db) as connection:
            rows = connection.execute("SELECT elapsed, corperc, cputime FROM validation ORDER BY batchno").fetchall()
    reached = result.validation is not None and result.validation.percent >= target
    curve = [(row[0], row[1]) for row in rows]
    return Run(data.name, optimizer, lr, workers, reached, result.steps, curve[-1][0], rows[-1][2], curve)


def study(data: Any, limit: float) -> tuple[list[Run], list[Run]]:
    """Return all runs of the grid, and the runs of the best learning rates with 1 and 2 workers."""
    grid, best = [], []
    for optimizer, rates in GRID.items():
        tried = [measure(data, optimizer, lr, 2, limit) for lr in rates]
        grid += tried
        chosen = min(tried, key=lambda run: (not run.reached, run.steps if run.reached else -run.curve[-1][1]))
        best += [measure(data, optimizer, chosen.lr, workers, limit) for workers in (1, 2)]
    return grid, best


def show(runs: list[Run]) -> None:
    """Print the runs as a Markdown table."""
    print("| data | optimizer | lr | workers | reached | steps | wall s | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for r in runs:
        reached = f"{TARGETS[r.data]:.0f} %" if r.reached else f"no: {r.curve[-1][1]:.1f} %"
        numbers = f"{r.steps} | {r.wall_seconds:.1f} | {r.cpu_seconds:.1f}"
        print(f"| {r.data} | {r.optimizer} | {r.lr:g} | {r.workers} | {reached} | {numbers} |")


def plot(runs: list[Run], path: Path) -> None:
    """Draw percent correct against wall time, a panel a data set."""
    from matplotlib.ticker import LogLocator

    from engine.reports.plots import style

    names = list(dict.fromkeys(run.data for run in runs))
    colours = dict(zip(GRID, style.COLOURS, strict=False))
    with style.styled():
        figure = style.new_figure(6.5 * len(names), 5, "How soon a network reads, letters network, batch 64")
        for name, axes in zip(names, figure.subplots(1, len(names), squeeze=False)[0], strict=True):
            for run in (run for run in runs if run.data == name):
                seconds, percent = zip(*run.curve, strict=True)
                line = "-" if run.workers == 2 else "--"
                label = f"{run.optimizer}, lr {run.lr:g}, {run.workers} worker{'s' * (run.workers > 1)}"
                axes.plot(seconds, percent, line, color=colours[run.optimizer], label=label)
            axes.axhline(TARGETS[name], color=style.GREY, linewidth=0.8)
            axes.set(xlabel="wall time (s)", ylabel="test samples correct", xscale="log")
            axes.set_title("generated letters" if name == "letters" else "MNIST")
            style.percent_axis(axes)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.minorticks_off()
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
        style.save(figure, path)
    print(f"plot  {path}", file=sys.stderr)


def main() -> None:
    """Measure, print and draw."""
    os.environ.update(ONE_THREAD)
    import engine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=list(TARGETS), default=list(TARGETS), help="default: all")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a run may take")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves (PNG, SVG or PDF)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    grid, best = [], []
    for name in arguments.data:
        try:
            found = study(engine.load_data(name), arguments.limit)
        except DataError as error:
            print(f"without {name}: {error}", file=sys.stderr)
            continue
        grid += found[0]
        best += found[1]
    if arguments.json:
        print(json.dumps({"machine": facts(), "grid": [asdict(r) for r in grid], "runs": [asdict(r) for r in best]}))
    else:
        print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\nThe grid:\n\n")
        show(grid)
        print("\nThe best learning rates:\n")
        show(best)
    if arguments.plot:
        plot(best, arguments.plot)


if __name__ == "__main__":
    main()
