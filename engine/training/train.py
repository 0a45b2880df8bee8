"""The public `train()`: puts a run together, carries it out, and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint
from engine.compute.evaluator import Evaluator
from engine.compute.precompile import compile_all, is_compiled
from engine.compute.validation import Validation
from engine.coordinator.notices import Notice, NoticeLimit
from engine.coordinator.source import Source
from engine.data import Sampler
from engine.errors import CheckpointError, RecordsError, StorageError, WorkerFailedError, WorkersError, storage_fails
from engine.network import Network
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer, State
from engine.nn.parameters import Layout, Vector, aligned
from engine.records import Recorder, Totals
from engine.settings import settings_of
from engine.system.allocator import release_compiler
from engine.system.blas import one_blas_thread
from engine.system.clock import MonotonicClock, TimeLimit
from engine.system.signals import Interrupt
from engine.training.bookkeeping import departure, recorder
from engine.training.cluster import Cluster, cluster_for, source_for
from engine.training.loop import Loop, Lost, never
from engine.training.prepare import Run, choose_settings, prepare
from engine.training.progress import Progress
from engine.training.reporter import Reporter, Result, RunInfo
from engine.training.snapshots import SnapshotRecorder, choose

# What ends a run in the middle of things: they say which checkpoint there is.
AT_ONCE = (KeyboardInterrupt, WorkersError, WorkerFailedError, StorageError)


def train(
    model: Model | str | Path | None = None,
    data: object = None,
    *,
    optimizer: Optimizer | str | None = None,
    db: Path | str | None = None,
    out: Path | str | None = None,
    resume: Path | str | None = None,
    name: str | None = None,
    reporter: Reporter | None = None,
    **settings: Any,
) -> Result:
    """Train `model` on `data` and return the trained network, its history and where everything is.

    `model`: a Model, the name of a built-in one, or the path of a TOML file (default: letters). `data`: whatever
    `load_data` takes, such as a name, a path, a Dataset or (X, y) (default: the generated letters). `optimizer`: SGD,
    Momentum or Adam (default), or its name. `db`: the SQLite database of records; `out`: the folder of checkpoints;
    `resume`: a checkpoint, or a folder of them, to continue from; `name`: what the run is to be called in the records.
    `settings`: the fields of `engine.Settings`, such as workers, epochs, batch_size.

    Raises UsageError if something asked for cannot be done, StorageError if records or checkpoints cannot be written
    any more, DivergedError if the loss is no longer finite, WorkersError and WorkerFailedError if the workers cannot do
    the work.
    """
    given = settings | (settings_of(optimizer) if optimizer else {})
    reporter = reporter or Reporter()
    db, out, resume = (None if p is None else Path(p) for p in (db, out, resume))
    with Interrupt(reporter.interrupted) as interrupt, one_blas_thread():
        earlier = None if resume is None else checkpoints.load(resume)
        chosen = choose_settings(given, earlier)
        run = None
        if not is_compiled():  # rarely; and it takes long, so see first whether there is anything to do
            run = prepare(model, data, chosen, db, out, resume, earlier, name)
            reporter.status("compiling kernels, once on this machine: this takes about half a minute")
            compile_all()
        with cluster_for(chosen) as cluster:  # workers take a second to start: time to load the data
            reporter.status("preparing data and model")
            run = run or prepare(model, data, chosen, db, out, resume, earlier, name)
            with Recorder(run.db) as records:
                number = enter(records, run)
                with checkpoints.hinted(run.folder, run.last_step(), *AT_ONCE), storage_fails(RecordsError):
                    return carry_out(run, number, cluster, records, reporter, interrupt)


def carry_out(
    run: Run,
    number: int,
    cluster: Cluster | None,
    records: Recorder,
    reporter: Reporter,
    interrupt: Interrupt,
    lost: Lost = never,
) -> Result:
    """Train, with everything at hand, and close the books of the run that has this number in the records."""
    tally = NoticeLimit(recorder(records, reporter))
    reporter.status("waiting for workers" if cluster else "compiling the network")
    limit = TimeLimit(MonotonicClock(), run.settings.time_limit)
    with source_for(run, cluster, tally.take, records.worker_names(), reporter, interrupt, limit) as source:
        loop = _loop(run, source, records, reporter, interrupt, limit, lost)
        reporter.started(_info(run, number, loop))
        if changed := run.other_numerics():
            tally.take(Notice("resumed", "", changed))
        with storage_fails(CheckpointError):
            try:
                with loop.snapshots:
                    state, reason = loop.run()
            finally:
                reporter.ended()
                for worker in source.workers():
                    records.worker(departure(worker, "the run ended"))
                tally.close()
            return _finish(run, number, loop, records, state, reason)


def enter(records: Recorder, run: Run) -> int:
    """Begin the run in the records, or go on with it there, and return its number."""
    row = run.row()
    step = run.checkpoint.step if run.checkpoint else 0
    number = records.resume(run.uuid, step, row.folder, row.name)
    return records.begin(row) if number is None else number


def _loop(
    run: Run,
    source: Source,
    records: Recorder,
    reporter: Reporter,
    interrupt: Interrupt,
    limit: TimeLimit,
    lost: Lost,
) -> Loop:
    """Set the scene: fresh parameters and moments, or those of the checkpoint."""
    layout = run.model.layout()
    parameters = layout.zeros()
    optimizer = run.settings.make_optimizer()
    optimizer.start(1).step(aligned(1), aligned(1), 1.0)  # loads its kernel before the first step
    release_compiler()
    state = optimizer.start(layout.size)
    progress = Progress()
    if run.checkpoint is None:
        layout.initialise(parameters, run.settings.seed)
    else:
        _restore(run.checkpoint, layout, parameters, state, progress)
    return Loop(
        settings=run.settings,
        sampler=Sampler(len(run.data.train), run.settings.batch_size, run.settings.seed),
        layout=layout,
        parameters=parameters,
        state=state,
        source=source,
        records=records,
        snapshots=SnapshotRecorder(choose(run.settings, layout), layout, records, reporter.notice),
        folder=run.folder,
        metadata=run.metadata(),
        reporter=reporter,
        interrupt=interrupt,
        clock=MonotonicClock(),
        limit=limit,
        test_samples=len(run.data.test),
        progress=progress,
        diagnose=_diagnosis(run),
        lost=lost,
    )


def _restore(checkpoint: Checkpoint, layout: Layout, parameters: Vector, state: State, progress: Progress) -> None:
    """Continue where `checkpoint` left off; CheckpointError if it does not fit the model."""
    seen = checkpoint.metadata.get("validation")
    try:
        layout.fill(parameters, checkpoint.parameters)
        tensors = {}
        for name, arrays in checkpoint.optimizer.items():
            tensors[name] = layout.zeros()
            layout.fill(tensors[name], arrays)
        state.load(tensors, checkpoint.step)
        progress.validation = Validation.from_dict(seen) if seen else None
    except ValueError as error:
        raise CheckpointError(f"the checkpoint does not fit: {error}") from None
    progress.step = checkpoint.step
    progress.elapsed = float(checkpoint.metadata.get("elapsed") or 0.0)
    progress.cpu = float(checkpoint.metadata.get("cpu") or 0.0)
    progress.best_percent = checkpoint.metadata.get("best_percent")


def _diagnosis(run: Run) -> Callable[[int, Vector], str | None]:
    def first_nonfinite(step: int, parameters: Vector) -> str | None:
        evaluator = Evaluator(run.job(), run.data)
        evaluator.prepare(parameters)
        return evaluator.first_nonfinite(step)

    return first_nonfinite


def _info(run: Run, number: int, loop: Loop) -> RunInfo:
    return RunInfo(
        run=number,
        model=run.model_name,
        data=run.data.name,
        generated=run.data.generated,
        train_samples=len(run.data.train),
        test_samples=len(run.data.test),
        parameters=loop.layout.size,
        workers=run.settings.workers or len(loop.source.workers()),
        step=loop.progress.step,
        last_step=loop.last_step,
        time_limit=loop.limit.left(),
        steps_per_epoch=loop.sampler.steps_per_epoch,
        db=run.db,
        folder=run.folder,
    )


def _finish(run: Run, number: int, loop: Loop, records: Recorder, state: str, reason: str) -> Result:
    """Close the books and return the result."""
    progress = loop.progress
    digest = loop.layout.sha256(loop.parameters)
    speed = progress.images / progress.seconds if progress.seconds else 0.0
    epochs = progress.step / loop.sampler.steps_per_epoch
    totals = Totals(
        steps=progress.step,
        epochs=epochs,
        best_percent=progress.best_percent,
        wall_seconds=progress.elapsed,
        cpu_seconds=progress.cpu,
        params_sha256=digest,
    )
    if progress.history:  # otherwise what an earlier sitting found still holds
        totals |= {"train_loss": progress.train_loss, "images_per_second": speed}
    records.finish("interrupted" if state == "interrupted" else "finished", reason, **totals)
    return Result(
        run=number,
        data=run.data.name,
        generated=run.data.generated,
        state=state,
        reason=reason,
        steps=progress.step,
        epochs=epochs,
        workers=run.settings.workers or len(loop.source.workers()),
        params_sha256=digest,
        train_loss=progress.train_loss,
        validation=progress.validation,
        images_per_second=speed,
        wall_seconds=progress.elapsed,
        step_ms=loop.timing(),
        db=run.db,
        checkpoint=loop.save(),
        network=Network(run.model, loop.parameters, run.normalisation, run.data.classes),
        history=progress.history,
    )
