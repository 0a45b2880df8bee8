"""The steps of a run, read from its records when they are asked for: a million of them take no memory meanwhile."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from engine.errors import RecordsError
from engine.records import reading
from engine.records.history import Connection, Step, step_count, steps, uuid_of
from engine.training.reporter import StepReport


@dataclass(frozen=True)
class History(Sequence[StepReport]):
    """All steps of a run that its database has, those from before it was resumed included, in order.

    Every use is a query. `images_per_second` of a step is over the time since the step before it, validation and
    checkpoints included; nan where the step before is not recorded. Raises RecordsError when the database `path` is not
    there any more, or does not hold run number `run`, whose uuid is `uuid`.
    """

    path: Path
    run: int
    uuid: str

    def __len__(self) -> int:
        with self._reading() as connection:
            return step_count(connection, self.run)

    def __iter__(self) -> Iterator[StepReport]:
        with self._reading() as connection:
            yield from map(_report, steps(connection, self.run))

    @overload
    def __getitem__(self, index: int) -> StepReport: ...
    @overload
    def __getitem__(self, index: slice) -> list[StepReport]: ...
    def __getitem__(self, index: int | slice) -> StepReport | list[StepReport]:
        with self._reading() as connection:
            chosen = range(step_count(connection, self.run))[index]  # IndexError as of a list
            if isinstance(chosen, int):
                return _report(next(steps(connection, self.run, chosen, 1)))
            if not chosen:
                return []
            first, last = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
            found = steps(connection, self.run, first, last - first + 1)
            picked = [_report(step) for place, step in enumerate(found, first) if place in chosen]
        return picked if chosen.step > 0 else picked[::-1]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if not self.path.exists():
            raise RecordsError(
                f"the history of run {self.run} is in database {self.path}, which is not there any more; move it back"
            )
        with reading(self.path) as connection:
            if uuid_of(connection, self.run) != self.uuid:
                raise RecordsError(
                    f"database {self.path} does not hold run {self.run} any more: the run was deleted, or the file "
                    "replaced"
                )
            yield connection


def _report(step: Step) -> StepReport:
    loss, percent, speed = (math.nan if x is None else x for x in (step.loss, step.percent, step.images_per_second))
    return StepReport(step.step, step.epoch, loss, percent, step.images, speed, step.elapsed)
