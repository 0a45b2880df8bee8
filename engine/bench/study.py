"""All measurements of a study by turns, and the medians of what there is so far."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.bench.case import Case

Row = dict[str, Any]
PARTS = ("compute", "wire", "reduce", "optimizer", "other")


@dataclass(frozen=True)
class Measurement:
    """What is measured next: `case`, or as many runs without workers side by side as it has workers."""

    round: int
    case: Case
    side_by_side: bool


class Study:
    """Measures every case once a round, so that a slow spell of the machine affects all of them alike.

    `measure` returns images/s and the milliseconds of the parts of a step; `side_by_side` the images/s of a number of
    runs without workers at once, which is measured for 2 workers up to the number of `cores`.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        rounds: int,
        cores: int,
        measure: Callable[[Case], dict[str, float]],
        side_by_side: Callable[[Case], float],
    ) -> None:
        self.plan = [
            Measurement(number, case, together)
            for number in range(1, rounds + 1)
            for case in cases
            for together in ((False, True) if 1 < case.workers <= cores else (False,))
        ]
        self._measure = measure
        self._side_by_side = side_by_side
        self._runs: dict[Case, dict[int, dict[str, float]]] = {case: {} for case in cases}  # by round
        self._together: dict[Case, dict[int, float]] = {case: {} for case in cases}

    def measurements(self) -> Iterator[Measurement]:
        """Yield each measurement before it is made; all have been made when this ends."""
        for due in self.plan:
            yield due
            if due.side_by_side:
                self._together[due.case][due.round] = self._side_by_side(due.case)
            else:
                self._runs[due.case][due.round] = self._measure(due.case)

    def rows(self) -> list[Row]:
        """Return a row of medians for each case that has been measured; ratios are medians within rounds."""
        rows = [self._row(case, runs) for case, runs in self._runs.items() if runs]
        for row in rows:
            row["limit"] = limit([other for other in rows if _same_study(other, row)], row)
        return rows

    def _row(self, case: Case, runs: dict[int, dict[str, float]]) -> Row:
        names = {"study": case.study, "batch": case.batch, "microbatch": case.microbatch, "workers": case.workers}
        row: Row = names | {name: statistics.median(run[name] for run in runs.values()) for name in runs[1]}
        base = self._serial(case)
        speedups = [run["images_per_second"] / base[number]["images_per_second"] for number, run in runs.items()]
        row |= {"speedup": statistics.median(speedups), "slowest": min(speedups), "fastest": max(speedups)}
        together = self._together[case]
        row["machine"] = row["share"] = None
        if together:
            ratios = [rate / base[number]["images_per_second"] for number, rate in together.items()]
            row["machine"] = statistics.median(ratios)
            row["share"] = statistics.median(runs[n]["images_per_second"] / rate for n, rate in together.items())
        return row

    def _serial(self, case: Case) -> dict[int, dict[str, float]]:
        """Return the runs without workers that a case is compared with."""
        return next(
            runs
            for other, runs in self._runs.items()
            if (other.study, other.microbatch, other.workers) == (case.study, case.microbatch, 0)
        )


def _same_study(one: Row, other: Row) -> bool:
    return (one["study"], one["microbatch"]) == (other["study"], other["microbatch"])


def limit(rows: Sequence[Row], row: Row) -> float | None:
    """Return the speed-up that the serial share of a step allows (Amdahl 1967); None without a run of 1 worker.

    With one worker a step takes `compute` and a rest that more workers do not share. `rows` are those of one study, the
    first without workers.
    """
    one = next((r for r in rows if r["workers"] == 1), None)
    if one is None or row["workers"] == 0:
        return None
    serial = sum(one[part] for part in PARTS if part != "compute")
    growth = row["batch"] / one["batch"]
    whole = 1000 * rows[0]["batch"] / rows[0]["images_per_second"]
    return float(whole * growth / (serial + one["compute"] * growth / row["workers"]))
