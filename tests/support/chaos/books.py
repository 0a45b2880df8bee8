"""Whether every sample was counted once, as the records have it, and how long each fault kept the training waiting."""

import sqlite3
import statistics
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.support.chaos.schedule import Fault
from tests.support.chaos.story import Story


@dataclass(frozen=True)
class Books:
    """What the records of a run of `steps` steps say; samples lost and samples counted twice should be 0.

    `missing` and `repeated`: rows of the training table. `credited`: samples that workers have in the last sitting of
    the run, the only one whose books are closed if a coordinator was killed, with those that the coordinator computed
    itself because no worker was right; `due`: those of its steps.
    """

    missing: int
    repeated: int
    lost: int
    doubled: int
    credited: int
    due: int
    events: dict[str, int]


def batches(samples: int, batch: int, steps: int) -> list[int]:
    """Return the size of every batch: each epoch takes every sample once, its last batch what is left."""
    epoch = [batch] * (samples // batch) + ([samples % batch] if samples % batch else [])
    return [epoch[step % len(epoch)] for step in range(steps)]


def audit(db: Path, story: Story, samples: int, batch: int, steps: int) -> Books:
    """Compare the records with what a run of `steps` steps on `samples` samples must have."""
    connection = sqlite3.connect(db)
    try:
        rows = connection.execute("SELECT batchno, batchsize FROM training").fetchall()
        workers = connection.execute("SELECT joined, images FROM workers").fetchall()
        own = connection.execute("SELECT time, text FROM events WHERE kind = 'arbitrated'").fetchall()
        events = dict(connection.execute("SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind").fetchall())
    finally:
        connection.close()
    expected = batches(samples, batch, steps)
    began, first = story.sittings[-1]
    credited = sum(images for joined, images in workers if datetime.fromisoformat(joined).timestamp() >= began)
    credited += sum(int(text.split()[0]) for moment, text in own if moment >= began)
    due = sum(expected[first:])
    numbers = [number for number, _ in rows]
    difference = sum(expected) - sum(size for _, size in rows)
    return Books(
        missing=len(set(range(1, steps + 1)) - set(numbers)),
        repeated=len(numbers) - len(set(numbers)),
        lost=max(difference, 0) + max(due - credited, 0),
        doubled=max(-difference, 0) + max(credited - due, 0),
        credited=credited,
        due=due,
        events=events,
    )


def delays(story: Story) -> dict[Fault, list[float]]:
    """Return for each kind of fault how many seconds each of them kept the training waiting.

    That is the longest time between two steps from then to the next fault, less the median of all; after a coordinator
    was killed it is the time until a step was done that had not been done before.
    """
    moments = [moment for moment, *_ in story.steps]
    usual = statistics.median(b - a for a, b in pairwise(moments))
    found: dict[Fault, list[float]] = {}
    for number, struck in enumerate(story.faults):
        later = [other.moment for other in story.faults[number + 1 :]]
        if struck.fault is Fault.KILL_COORDINATOR:
            regained = next(moment for moment, step, _ in story.steps if moment > struck.moment and step > struck.step)
            found.setdefault(struck.fault, []).append(regained - struck.moment)
            continue
        until = later[0] if later else moments[-1]
        waits = [b - a for a, b in pairwise(moments) if b > struck.moment and a <= until]
        found.setdefault(struck.fault, []).append(max(max(waits, default=usual) - usual, 0.0))
    return found
