"""What a run is called in titles and legends."""

from collections.abc import Sequence

from engine.records import Run
from engine.reports.plots.lettering import literal
from engine.reports.text import data_name


def task(run: Run) -> str:
    """Return what was learned: "letters on generated letters"."""
    return f"{literal(run['model'])} on {data(run)}"


def data(run: Run) -> str:
    """Return what it was learned from: "generated letters"."""
    return data_name(literal(run["data"]), run["generated"])


def method(run: Run) -> str:
    """Return how it was learned: "adam 0.001, 2 workers"."""
    count = run["workers"]
    who = "no workers" if not count else "1 worker" if count == 1 else f"{count} workers"
    return f"{run['optimizer']} {run['lr']:g}, {who}"


def title(run: Run) -> str:
    """Return one line that says which run it is."""
    return f"run {run['startID']}: {task(run)}, {method(run)}"


def labels(runs: Sequence[Run]) -> list[str]:
    """Return a label for each of several runs: the method, the batch size and task where they differ, the number."""
    batches, tasks = {run["batch_size"] for run in runs}, {task(run) for run in runs}
    found = []
    for run in runs:
        parts = [method(run)]
        parts += [f"batch {run['batch_size']}"] * (len(batches) > 1)
        parts += [task(run)] * (len(tasks) > 1)
        found.append(", ".join(parts) + f" (run {run['startID']})")
    return found
