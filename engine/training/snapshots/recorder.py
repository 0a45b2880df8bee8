"""The hook of the training loop, and the thread behind it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Self

import numpy as np

from engine.errors import RecordsError
from engine.kernels import Backend, choose
from engine.nn.parameters import Layout, Vector
from engine.records import EventRow, HistogramRow, Recorder, Snapshot, StatisticsRow, places
from engine.training.snapshots.schedule import SnapshotSchedule
from engine.training.snapshots.statistics import histogram, statistics

WAITING_BYTES = 64 << 20  # the most that copies of vectors may take while they wait to be written
SETTLE = 5.0  # seconds that a checkpoint waits for snapshots: a database that takes nothing must not keep it
WAITING_STEPS = 2  # but so many steps may always wait


@dataclass
class _Look:
    """Copies of the vectors of one step: `parameters` before and `after` it, and the `gradient`, summed."""

    parameters: Vector
    gradient: Vector
    after: Vector
    step: int = 0
    samples: int = 1
    snapshot: bool = False
    measured: bool = False


class SnapshotRecorder:
    """Takes what `choice` says of each step and writes it to `records`, in a thread of its own. A context manager.

    Steps that could not be written are events, `skipped` counts them, and `notice` is told at the end.
    """

    def __init__(
        self,
        choice: SnapshotSchedule,
        layout: Layout,
        records: Recorder,
        notice: Callable[[str], None],
        backend: Backend | None = None,
    ) -> None:
        """`backend`: of the kernels that measure (default: `kernels.choose()`)."""
        self._skipped = 0
        self._counting = Lock()  # steps are skipped in either thread
        self._choice = choice
        self._layout = layout
        self._records = records
        self._notice = notice
        self._backend = backend or choose()
        self._places = places({name: spec.shape for name, spec in layout.specs.items()})
        self._free: list[_Look] = []  # the newest is taken first: its memory is still in some cache
        self._unmade = max(WAITING_STEPS, WAITING_BYTES // (3 * 4 * layout.size))
        self._open: _Look | None = None
        self._interval: int | None = None  # what the snapshots in the records have been thinned to
        self._thread = ThreadPoolExecutor(1, "snapshots")
        self._last: Future[None] | None = None
        self._fault: BaseException | None = None
        records.snapshot_schedule(choice.asdict())

    @property
    def skipped(self) -> int:
        """How many steps that were due were not written."""
        return self._skipped

    def before(self, step: int, parameters: Vector, gradient: Vector, samples: int, last: bool = False) -> None:
        """Look at a step before it is applied: `gradient` is summed over `samples` samples.

        Call `after` once it is applied; where that will not be, because the run fails, this is the `last` step, and has
        a snapshot whenever any has.
        """
        snapshot = self._choice.snapshots if last else self._choice.snapshot_at(step)
        measured = not last and self._choice.statistics_at(step)
        if not (snapshot or measured):
            return
        look = self._take_free()
        if look is None:
            self._skip(step, "too many steps wait for the disk")
            return
        np.copyto(look.parameters, parameters)
        np.copyto(look.gradient, gradient)
        look.step, look.samples, look.snapshot, look.measured = step, samples, snapshot, measured
        if measured:
            self._open = look
        else:
            self._hand_over(look)

    def after(self, parameters: Vector) -> None:
        """Look at the parameters after the step that `before` was told of."""
        look, self._open = self._open, None
        if look is not None:
            np.copyto(look.after, parameters)
            self._hand_over(look)

    def settle(self) -> None:
        """Wait until all looks so far are in the records' hands, but not for long where the database is locked."""
        wait([self._last] if self._last else [], SETTLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what waits, unless someone is in a hurry to leave. Raises what went wrong in the thread by a fault."""
        hurry = error is not None and not isinstance(error, Exception)
        self._thread.shutdown(wait=True, cancel_futures=hurry)
        if self._skipped:
            steps = "1 step has" if self.skipped == 1 else f"{self.skipped} steps have"
            self._notice(f"{steps} no snapshot or statistics: the database did not take them in time")
        if self._fault is not None and error is None:
            raise self._fault

    def _take_free(self) -> _Look | None:
        """Return vectors to copy into, None if all of them wait for the disk."""
        if self._free:  # only this thread takes
            return self._free.pop()
        if not self._unmade:
            return None
        self._unmade -= 1
        return _Look(self._layout.zeros(), self._layout.zeros(), self._layout.zeros())

    def _hand_over(self, look: _Look) -> None:
        self._last = self._thread.submit(self._write, look)
        self._last.add_done_callback(lambda future: self._written(look, future))

    def _written(self, look: _Look, future: "Future[None]") -> None:
        """Let the vectors be used again. Runs in either thread."""
        error = None if future.cancelled() else future.exception()
        if isinstance(error, RecordsError):
            self._skip(look.step, str(error))
        elif error is not None:
            self._fault = self._fault or error
        self._free.append(look)

    def _skip(self, step: int, reason: str) -> None:
        with self._counting:
            self._skipped += 1
        with suppress(RecordsError):  # of a database that takes nothing any more the loop hears with its next row
            self._records.event(EventRow("skipped", f"no snapshot or statistics of step {step}: {reason}", step))

    def _write(self, look: _Look) -> None:
        """Compute and write everything about one step. The vectors are overwritten."""
        with np.errstate(all="ignore"):  # a run that diverges is just when one looks
            look.gradient *= np.float32(1 / look.samples)  # as the optimizer does it
            if look.measured:
                look.after -= look.parameters
        if look.measured:
            for row in self._statistics(look):
                self._records.statistics(row)
        if look.snapshot:
            self._thin(look.step)
            self._records.snapshot(self._snapshot(look))

    def _thin(self, step: int) -> None:
        """Delete the snapshots that are not kept after `step`, if that has not been done: the run may be resumed."""
        interval = self._choice.interval(step)
        if self._choice.later is None or interval in (0, self._interval):
            return
        if deleted := self._records.thin_snapshots(self._choice.first, interval):
            text = f"{deleted} snapshots were deleted to stay within the budget; those of every {interval}th step stay"
            self._records.event(EventRow("thinned", text, step))
        self._interval = interval

    def _statistics(self, look: _Look) -> Iterator[StatisticsRow]:
        """Yield the row of every array, once `look.after` holds the update; the order of its values does not matter."""
        for name, part in self._layout.slices.items():
            place = self._places[name]
            vectors = look.parameters, look.gradient, look.after
            values, gradients, updates = (statistics(x[part], self._backend) for x in vectors)
            yield StatisticsRow(look.step, place.name, place.subname, *values, *gradients, *updates)

    def _snapshot(self, look: _Look) -> Snapshot:
        """Return the chosen arrays in public shape, with their histograms."""
        vectors = self._layout.public(look.parameters), self._layout.public(look.gradient)
        arrays = {
            self._places[name]: (np.ascontiguousarray(values).ravel(), np.ascontiguousarray(gradients).ravel())
            for (name, values), (_, gradients) in zip(*vectors, strict=True)
            if name in self._choice.names
        }
        histograms = [
            HistogramRow(look.step, place.name, place.subname, what, *histogram(array, self._backend))
            for place, both in arrays.items()
            for what, array in zip(("values", "gradients"), both, strict=True)
        ]
        return Snapshot(look.step, arrays, histograms)
