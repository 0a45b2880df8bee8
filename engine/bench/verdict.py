"""What the figures come to, in a sentence or two for each size of a batch."""

from collections.abc import Mapping, Sequence

from engine.bench.study import Row
from engine.compute.tree import microbatches

LEVEL = 1.02  # a ratio below which a greater number of workers is not worth having
LINKS = {"1 Gbit/s": 125e6, "10 Gbit/s": 1.25e9}  # bytes per second
OVERLAP = 0.8  # of the time that parameters and gradients take on a link; the rest passes while others compute


def verdicts(rows: Sequence[Row], cores: int) -> list[str]:
    """Return what is best here for each study, and why more workers would not help."""
    return [_verdict([row for row in rows if row["study"] == study], cores) for study in _studies(rows)]


def elsewhere(machines: Mapping[str, int]) -> list[str]:
    """Return on which machines workers computed; nothing if the study ended before any did."""
    where = ", ".join(f"{count} on {name}" for name, count in machines.items())
    return [f"workers elsewhere: {where}"] if where else []


def _studies(rows: Sequence[Row]) -> list[int]:
    return list(dict.fromkeys(row["study"] for row in rows))


def _best(rows: Sequence[Row]) -> Row:
    """Return the fastest row, and of those that are about as fast the one with the fewest workers."""
    most = max(row["images_per_second"] for row in rows)
    level = [row for row in rows if row["images_per_second"] * LEVEL >= most]
    return min(level, key=lambda row: (row["workers"], -row["images_per_second"]))


def _verdict(rows: Sequence[Row], cores: int) -> str:
    best = _best(rows)
    what = f"best here for batch {best['study']}"
    several = len({row["microbatch"] for row in rows}) > 1
    if several:
        what += f": micro-batch {best['microbatch']}"
    if not any(row["workers"] for row in rows):  # also where a study was interrupted early
        return f"{what}; no workers were tried" if several else f"for batch {best['study']} no workers were tried"
    if not best["workers"]:
        return f"{what}: no workers; more processes cost more than they bring"
    who = f"{best['workers']} worker{'s' * (best['workers'] > 1)}"
    return f"{what}: {who}, {best['speedup']:.1f} times as fast as none{_why_no_more(best, rows, cores)}"


def _why_no_more(best: Row, rows: Sequence[Row], cores: int) -> str:
    if best["workers"] >= microbatches(best["batch"], best["microbatch"]):
        return "; more would have no micro-batch to work on"
    if any(row["workers"] > best["workers"] for row in rows if row["microbatch"] == best["microbatch"]):
        return "; more were not faster"
    if best["workers"] >= cores:
        return "; more would have to share cores"
    return "; more were not tried"


def second_machine(rows: Sequence[Row]) -> list[str]:
    """Return, for each study, what a second machine like this one would bring: predicted, not measured.

    Every worker process there fetches the parameters and sends a gradient of the same size in each step.
    """
    found = []
    for study in _studies(rows):
        best = _best([row for row in rows if row["study"] == study])
        speeds = [f"{_with_second_machine(best, link):.1f} times at {name}" for name, link in LINKS.items()]
        found.append(f"a second machine like this one for batch {study}, predicted: {', '.join(speeds)}")
    return found


def _with_second_machine(row: Row, link: float) -> float:
    """Return how many times as fast as `row` twice the processes are, half of them behind a link of so many bytes/s."""
    workers = max(row["workers"], 1)
    step = row["batch"] / row["images_per_second"]
    micro = microbatches(row["batch"], row["microbatch"])
    saved = row["compute"] / 1000 * (1 - -(-micro // (2 * workers)) / -(-micro // workers))
    return float(step / (step - saved + OVERLAP * 2 * workers * 4 * row["parameters"] / link))
