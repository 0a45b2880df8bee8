"""What is recorded and reported of steps and validations."""

import json
import math
import time
from typing import NamedTuple

from engine.compute.sums import Sums
from engine.compute.validation import Validation
from engine.coordinator.source import Source
from engine.data import Measure
from engine.records import EventRow, Recorder, TrainingRow, ValidationRow
from engine.reports.text import shown
from engine.training.answers import answer_rows
from engine.training.bookkeeping import Bookkeeping
from engine.training.context import RunContext
from engine.training.reporter import Reporter, StepReport
from engine.training.run import Run
from engine.training.state import TrainingState

PACE = 0.1  # weight of the newest step in the speed that is shown


class _Step(NamedTuple):
    loss: float
    correct: int
    samples: int
    seconds: float
    norm: float  # of the mean gradient


class StepLog:
    """Writes to the records, and tells the reporter, what has happened.

    A step is only remembered when it is taken; `settle` does the rest, while workers compute the next one.
    """

    def __init__(
        self,
        run: Run,
        state: TrainingState,
        source: Source,
        records: Recorder,
        books: Bookkeeping,
        context: RunContext,
    ) -> None:
        velocity = run.settings.optimizer in ("momentum", "nesterov")
        self._momentum = run.settings.momentum if velocity else None
        self._top_k = run.settings.top_k
        self._classes = run.data.classes
        self._counts_correct = run.data.measure is Measure.PERCENT
        self._state = state
        self._progress = state.progress
        self._optimizer = state.optimizer
        self._source = source
        self._records = records
        self._books = books
        self._reporter = context.reporter
        # A step is not put into words for a reporter that ignores it, as that of --quiet.
        self._reports = getattr(context.reporter.step, "__func__", None) is not Reporter.step
        self._clock = context.clock
        self._began = self._clock.now() - self._progress.elapsed
        self._cpu_before = self._progress.cpu - time.process_time()
        self._rate = 0.0
        self._newest: _Step | None = None

    def step(self, sums: Sums, samples: int, seconds: float, norm: float) -> None:
        """Remember the step that has just been taken: sums over its samples, how long it took, its gradient's norm."""
        self._newest = _Step(sums.loss, sums.correct, samples, seconds, norm)

    def settle(self) -> None:
        """Record and report the newest step, and keep its digest, unless that is done."""
        if self._newest is None:
            return
        (loss, correct, samples, seconds, norm), self._newest = self._newest, None
        progress = self._progress
        progress.taken += 1
        progress.images += samples
        progress.recent.append((loss, samples))
        self._measure()
        mean = loss / samples
        self._state.keep_digest(mean)
        percent = 100 * correct / samples if self._counts_correct else None
        row = TrainingRow(
            batchno=progress.step,
            epoch=progress.epoch,
            time=time.time(),
            elapsed=progress.elapsed,
            cputime=progress.cpu,
            corperc=percent,
            avgloss=mean,
            batchsize=samples,
            lr=self._optimizer.lr,
            momentum=self._momentum,
            gradnorm=norm,
        )
        self._records.training(row)
        if self._reports:
            self._report(row, samples, seconds)
        self.tell_news()

    def _report(self, row: TrainingRow, samples: int, seconds: float) -> None:
        """Tell the reporter of the step that has this row."""
        rate = samples / max(seconds, 1e-9)
        self._rate += (rate - self._rate) * (PACE if self._rate else 1.0)
        report = StepReport(
            step=row.batchno,
            epoch=row.epoch,
            loss=row.avgloss,
            percent=math.nan if row.corperc is None else row.corperc,
            images=samples,
            images_per_second=self._rate,
            elapsed=row.elapsed,
        )
        self._reporter.step(report, self._source.workers())

    def validated(self, validation: Validation) -> None:
        """Record and report a validation of the newest step."""
        self._measure()
        progress = self._progress
        row = ValidationRow(
            batchno=progress.step,
            epoch=progress.epoch,
            time=time.time(),
            cputime=progress.cpu,
            elapsed=progress.elapsed,
            corperc=validation.percent if validation.r2 is None else None,
            avgloss=validation.loss,
            r2=validation.r2,
            metrics=json.dumps(known) if (known := validation.asdict().get("metrics")) else None,
        )
        if validation.tally is not None:
            if 0 < self._top_k < validation.tally.outputs:
                among = validation.tally.among(self._top_k)
                row = row._replace(topk=self._top_k, topperc=100 * among / validation.total)
            self._records.validation(row, *answer_rows(progress.step, validation.tally, self._classes))
        else:
            self._records.validation(row)
        self._reporter.validated(validation)

    def secure(self) -> None:
        """Return when everything so far is on disk, what each worker has done included: in the database or beside it.

        RecordsError if that is impossible.
        """
        self._measure()
        self._books.update(self._source.workers())
        self._records.secure()

    def happened(self, kind: str, text: str) -> None:
        """Record an event of the newest step, and tell the reporter."""
        self._measure()
        self._records.event(EventRow(kind, text, self._progress.step, elapsed=self._progress.elapsed))
        self._reporter.notice(shown(text))

    def tell_news(self) -> None:
        """Tell the reporter what there is to say of the database."""
        for text in self._records.news():
            self._reporter.notice(shown(text))

    def _measure(self) -> None:
        """Bring the run's elapsed and processor seconds up to date."""
        self._progress.elapsed = self._clock.now() - self._began
        self._progress.cpu = self._cpu_before + time.process_time() + self._source.cpu_seconds()
