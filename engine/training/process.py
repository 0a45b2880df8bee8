"""What a process that trains sets up, in which order; all of it is undone afterwards."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from engine import checkpoint as checkpoints
from engine.compute.arithmetic import check_arithmetic
from engine.compute.precompile import is_compiled
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.source import Source
from engine.errors import GradsumError, StorageError, UnsavedError, WorkerFailedError, WorkersError
from engine.kernels import choose, using
from engine.launch.compilers import compile_all
from engine.nn.own.imports import imported
from engine.records import EventRow, Recorder
from engine.reports.text import shown
from engine.settings import Settings
from engine.system.allocator import release_compiler
from engine.system.blas import one_blas_thread
from engine.system.clock import MONOTONIC, Clock, TimeLimit
from engine.system.cores import limit as usable
from engine.system.forks import may_fork
from engine.system.signals import Interrupt
from engine.system.terminal import ProgressLine
from engine.training.bookkeeping import Bookkeeping
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.computing import cluster_for, source_for, trained_in_place
from engine.training.context import RunContext
from engine.training.loop import Loop
from engine.training.reporter import Reporter, Result
from engine.training.result import info_of, result_of, totals_of
from engine.training.run import Run
from engine.training.snapshots import SnapshotRecorder, schedule_for
from engine.training.state import TrainingState
from engine.training.step_log import StepLog
from engine.training.stopping import Prune, Stopping, never, saving

if TYPE_CHECKING:
    from engine.training.cluster import Cluster

# What ends a run in the middle of things: they say which checkpoint there is.
ABORTS = (KeyboardInterrupt, WorkersError, WorkerFailedError, StorageError, UnsavedError)
log = logging.getLogger("gradsum.training")


class TrainingProcess:
    """A process that trains: one run, or one after the other on the same workers.

    Entered, it listens to signals and holds BLAS to one thread; `start_workers`, `claim` and `open_records` follow. All
    is undone in the opposite order when it is left. Only `carry_out` sets up what belongs to a single run.
    """

    def __init__(
        self,
        reporter: Reporter,
        clock: Clock = MONOTONIC,
        line: ProgressLine | None = None,
        beside: "TrainingProcess | None" = None,
    ) -> None:
        """`line`: where to show the progress of long operations if the caller gave no reporter for that.

        `beside`: another one in this process, entered before, which hears the signals for both; this one then carries
        out runs in a thread of its own.
        """
        self.reporter = reporter
        self._line = line or ProgressLine(None)
        self._beside = beside
        self.interrupt: Interrupt = beside.interrupt if beside else Interrupt(reporter.interrupted, clock)
        self._clock = clock
        self._stack = ExitStack()
        self._cluster: Cluster | None = None
        self._claimed: Path | None = None

    def __enter__(self) -> Self:
        self._folder = self._stack.enter_context(ExitStack())  # left last: closing the records may write to the folder
        if self._beside is None:
            self._stack.enter_context(self.interrupt)
            self._stack.enter_context(one_blas_thread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def converting(self, what: str, done: int, total: int) -> None:
        """Report how far pictures are converted, or kernels compiled; KeyboardInterrupt if the run is to end.

        Nothing is lost by that: a data set enters the cache whole or not at all, and kernels one by one.
        """
        self.reporter.converting(what, done, total)
        if done < total:
            self._line.say(f"gradsum: {what}, {done:,} of {total:,}")
        else:
            self._line.clear()
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.interrupt.requested:
            raise KeyboardInterrupt

    def use_kernels(self, settings: Settings) -> None:
        """Compute with the kernels that `settings` name, here and in all workers; SettingsError if there are none."""
        self._stack.enter_context(using(settings.kernels, settings.allow_slow))
        choose()

    def compile_kernels(self) -> None:
        """Compile every kernel where that has not been done, so that no worker has to."""
        if not is_compiled():
            self.reporter.status("compiling kernels, once on this machine: this takes about half a minute")
            compile_all(lambda done, total: self.converting("compiling kernels, once on this machine", done, total))

    def start_workers(
        self, settings: Settings, sizes: frozenset[int] = frozenset(), folder: Path | None = None
    ) -> None:
        """Start local workers, which takes them a second, and let others join, if that is asked for.

        `sizes`: how many parameters the models of the runs to come have, where there may be several, in `folder`.
        Raises GradsumError if this process computes otherwise than all others do: see `check_arithmetic`.
        """
        # What is forked has all that is loaded here, kernels included; own code is for each process to import.
        if fork := may_fork() and not imported():
            check_arithmetic()
        self._cluster = self._stack.enter_context(cluster_for(settings, self._clock, len(sizes) <= 1, fork))
        if self._cluster and folder:
            self._cluster.listen(max(sizes), self.reporter, folder)
        check_arithmetic()

    def claim(self, folder: Path) -> None:
        """Keep other processes out of `folder`, a run's, until another one is claimed, or this process is left.

        Raises CheckpointError if one trains into it already.
        """
        if folder == self._claimed:
            return
        self._claimed = None
        self._folder.close()
        if not self._folder.enter_context(checkpoints.held(folder)):
            self.reporter.notice(
                f"{folder} is on a file system without locks: make sure that no other process trains into it"
            )
        self._claimed = folder

    def open_records(self, db: Path) -> Recorder:
        """Open the database, and return what writes it; KeyboardInterrupt if the run is to end while it is locked."""
        self._records = self._stack.enter_context(Recorder(db, ask=self._stop_if_asked))
        return self._records

    def enter(self, run: Run) -> int:
        """Begin the run in the records, or continue it there, and return its number."""
        row = run.row()
        step = run.checkpoint.step if run.checkpoint else 0
        number = self._records.resume(run.uuid, step, row.folder, row.name)
        known = number is not None
        if number is None:
            number = self._records.begin(row, step)
            self._say_what_is_missing(run)
        self._say_what_goes(run, step, known)
        return number

    def _say_what_goes(self, run: Run, step: int, known: bool) -> None:
        """Say, if the run continues from a checkpoint that is not its newest, that the later ones will be removed."""
        if run.checkpoint is None or not (later := checkpoints.later_steps(run.folder, step)):
            return
        which = f"step {later[0]}" if len(later) == 1 else f"steps {later[0]} to {later[-1]}"
        text = f"run {run.uuid[:6]} goes back to step {step}: " + "its rows of later steps are deleted; " * known
        text += f"what {run.folder} has of {which} is removed once there is a new checkpoint"
        self._records.event(EventRow(NoticeKind.RESUMED, text, step))
        self.reporter.notice(shown(text))

    def _say_what_is_missing(self, run: Run) -> None:
        """Say, if the run that was just entered is not new, that its earlier steps are recorded elsewhere."""
        if run.checkpoint is None:
            return
        before = run.checkpoint.run.db
        where = f"; they are in {before}" if before and Path(before) != run.db.absolute() else ""
        first = self._records.first_step()  # of the rows that waited beside its checkpoints
        missing = run.checkpoint.step if first is None else first - 1
        steps = "step" if missing == 1 else f"{missing} steps"
        text = f"run {run.uuid[:6]} is new to database {run.db}, without its first {steps}{where}"
        self._records.event(EventRow(NoticeKind.RESUMED, text, run.checkpoint.step))
        self.reporter.notice(shown(text))

    def carry_out(self, run: Run, number: int, state: TrainingState, prune: Prune = never) -> Result:
        """Train the run that has this number in the records, from `state` on, and finish it there."""
        limit = TimeLimit(self._clock, run.settings.time_limit)
        cores = usable()  # before this process keeps off its workers' processors
        self.reporter.stop_reason = None
        context = RunContext(self.reporter, self.interrupt, self._clock, limit)
        self.reporter.status("waiting for workers" if self._cluster else "compiling the network")
        known = self._records.worker_names()
        books = Bookkeeping(self._records, self.reporter, known)
        with source_for(run, self._cluster, context, books.take, known) as source:
            release_compiler()
            loop = self._loop(run, state, source, books, context, prune)
            self.reporter.started(info_of(run, number, loop, cores))
            log.info("run %d begins at step %d: %s on %s", number, state.progress.step, run.model_name, run.data.name)
            if changed := run.other_numerics():
                books.take(Notice(NoticeKind.RESUMED, None, changed))
            with self._closing(number, source, books), loop.snapshots, trained_in_place(state, self._cluster):
                stop = loop.train()
            result = result_of(run, number, loop, stop, self._records)
            with saving(stop, result.steps):
                self._records.finish(result.state, stop.text, **totals_of(result, state.progress))
            loop.log.tell_news()
        log.info("run %d ends after step %d: %s", number, result.steps, stop.text)
        return result

    def _loop(
        self,
        run: Run,
        state: TrainingState,
        source: Source,
        books: Bookkeeping,
        context: RunContext,
        prune: Prune,
    ) -> Loop:
        schedule = schedule_for(run.settings, state.layout)
        return Loop(
            run=run,
            state=state,
            source=source,
            stopping=Stopping(
                run.settings, run.last_step(), self.interrupt, context.limit, prune, lambda: self.reporter.stop_reason
            ),
            log=StepLog(run, state, source, self._records, books, context),
            checkpoints=CheckpointWriter(run.folder, state, run.state()),
            snapshots=SnapshotRecorder(schedule, state.layout, self._records, self.reporter.notice),
            context=context,
            notice=books.take,
        )

    @contextmanager
    def _closing(self, number: int, source: Source, books: Bookkeeping) -> Iterator[None]:
        """Record, however the steps end, what each worker has done, and how many notices were held back."""
        try:
            yield
        except GradsumError as error:
            log.warning("run %d fails: %s", number, error)
            raise
        finally:
            self.reporter.ended()
            books.close(source.workers())
