"""The steps of a run, read from its records when they are asked for: until then a million of them take no memory."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from engine.errors import RecordsError
from engine.records import TrainingRow, reading
from engine.records.history import Connection, count_steps, steps, uuid_of
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
            return count_steps(connection, self.run)

    def __iter__(self) -> Iterator[StepReport]:
        with self._reading() as connection:
            yield from _reports(steps(connection, self.run))

    @overload
    def __getitem__(self, index: int) -> StepReport: ...
    @overload
    def __getitem__(self, index: slice) -> list[StepReport]: ...
    def __getitem__(self, index: int | slice) -> StepReport | list[StepReport]:
        with self._reading() as connection:
            chosen = range(count_steps(connection, self.run))[index]  # IndexError as of a list
            if isinstance(chosen, int):
                return self._between(connection, chosen, chosen)[0]
            if not chosen:
                return []
            first, last = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
            found = self._between(connection, first, last)
        return [found[place - first] for place in chosen]

    def _between(self, connection: Connection, first: int, last: int) -> list[StepReport]:
        """Return the steps at the places `first` to `last`; the one before is read for the time that `first` took."""
        before = 1 if first else 0
        rows = steps(connection, self.run, limit=last - first + 1 + before, offset=first - before)
        return list(_reports(rows))[before:]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if not self.path.exists():
            raise RecordsError(
                f"the history of run {self.run} is in database {self.path}, which no longer exists; move it back"
            )
        with reading(self.path) as connection:
            if uuid_of(connection, self.run) != self.uuid:
                raise RecordsError(
                    f"database {self.path} no longer holds run {self.run}: the run was deleted, or the file replaced"
                )
            yield connection


def _reports(rows: Iterable[TrainingRow]) -> Iterator[StepReport]:
    step, elapsed = 0, 0.0  # of the row before
    for row in rows:
        seconds = row.elapsed - elapsed if row.batchno == step + 1 else 0.0
        speed = row.batchsize / seconds if seconds > 0 else math.nan
        percent = math.nan if row.corperc is None else row.corperc
        yield StepReport(row.batchno, row.epoch, row.avgloss, percent, row.batchsize, speed, row.elapsed)
        step, elapsed = row.batchno, row.elapsed
