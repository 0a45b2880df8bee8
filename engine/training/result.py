"""What is told of a run when it begins, and when it has ended."""

import os
import shutil

from engine.coordinator.source import that_compute
from engine.data import Measure
from engine.data.reading import Manner
from engine.kernels import REMARKS, choose
from engine.network import Network
from engine.nn.own.imports import imported
from engine.nn.parameters import Vector
from engine.records import SIDE_FILE, Recorder, Totals
from engine.records.status import RunStatus
from engine.settings import Settings
from engine.system.cores import Limit
from engine.training.history import History
from engine.training.loop import Loop
from engine.training.progress import Progress
from engine.training.reporter import Best, Result, RunInfo
from engine.training.run import Run
from engine.training.snapshots import forecast
from engine.training.stopping import StopKind, StopReason


def info_of(run: Run, number: int, loop: Loop, cores: Limit) -> RunInfo:
    """Return what is known of a run that is about to take its first step, with so many `cores`."""
    progress = loop.state.progress
    ours = use_of_cores(run.settings, cores, os.cpu_count() or 1), REMARKS.get(choose().name), own_remark()
    return RunInfo(
        run=number,
        model=run.model_name,
        data=run.data.name,
        generated=run.data.generated,
        train_samples=len(run.data.train),
        parts=run.usage,
        parameters=loop.state.layout.size,
        workers=_workers(run, loop),
        step=progress.step,
        last_step=run.last_step(),
        time_limit=loop.context.limit.left(),
        steps_per_epoch=progress.steps_per_epoch,
        db=run.db,
        folder=run.folder,
        measure=run.data.measure,
        unit=run.data.train.unit,
        notes=(*run.data.notes, *_on_start(run), *(note for note in ours if note), *_on_snapshots(run, loop)),
    )


def own_remark() -> str | None:
    """Return what there is to say of a run with own code, None of one without."""
    if not (names := ", ".join(module.name for module in imported())):
        return None
    return f"own code in {names}: numpy computes there, so these bits hold for this kind of processor and numpy"


def result_of(run: Run, number: int, loop: Loop, stop: StopReason, records: Recorder) -> Result:
    """Return the result of a run that stopped, and is saved."""
    progress, layout, parameters = loop.state.progress, loop.state.layout, loop.state.parameters
    checkpoint = loop.save()
    return Result(
        run=number,
        data=run.data.name,
        generated=run.data.generated,
        state=RunStatus.INTERRUPTED if stop.kind is StopKind.INTERRUPTED else RunStatus.FINISHED,
        reason=stop.text,
        steps=progress.step,
        epochs=progress.epoch,
        workers=_workers(run, loop),
        params_sha256=layout.sha256(parameters),
        train_loss=progress.train_loss,
        validation=progress.validation,
        best=_best(loop),
        images_per_second=loop.times.images_per_second(),
        wall_seconds=progress.elapsed,
        step_ms=loop.times.ms(),
        db=run.db,
        records_bytes=records.size(),
        side_file=run.folder / SIDE_FILE,
        checkpoint=checkpoint,
        network=_network(run, parameters),
        history=History(run.db.absolute(), number, run.uuid),
        steps_taken=progress.taken,
        stop=stop.kind,
        parts=run.usage,
        unit=run.data.train.unit,
    )


def use_of_cores(settings: Settings, cores: Limit, machine: int) -> str | None:
    """Return what there is to say if workers will have nothing to do, or do not use all of a `machine`'s cores."""
    workers, work = settings.workers or 0, settings.microbatches
    plural = "es" if work > 1 else ""
    batch = f"a batch of {settings.batch_size} has {work} micro-batch{plural} of {settings.microbatch_size}"
    if workers > work:
        return f"{workers - work} of {workers} workers have nothing to do: {batch}"
    if 0 < workers == work < cores.cores:
        return f"{workers} of {cores.cores} cores are used: {batch}"
    if 0 < workers == cores.cores < machine:
        return f"{workers} of {machine} cores are used, because of {cores.reason}"
    return None


def _network(run: Run, parameters: Vector) -> Network:
    data = run.data
    manner = None if data.train.has_features else Manner.of(data)
    names = data.classes, run.values, data.columns, data.targets
    return Network(run.model, parameters, run.normalisation, *names, manner)


def totals_of(result: Result, progress: Progress) -> Totals:
    """Return what the records are told of a run that has ended."""
    totals = _scores(progress) | Totals(
        steps=result.steps,
        epochs=result.epochs,
        wall_seconds=result.wall_seconds,
        cpu_seconds=progress.cpu,
        params_sha256=result.params_sha256,
    )
    if progress.taken:  # otherwise what is recorded from before the run was resumed still holds
        totals |= Totals(train_loss=result.train_loss, images_per_second=result.images_per_second)
    return totals


def _scores(progress: Progress) -> Totals:
    """Return the best and the last score, as percent correct or as R²."""
    best, last = progress.best, progress.validation
    step = best.step if best else None
    if last is None or last.measure is Measure.PERCENT:
        return Totals(
            best_percent=best.percent if best else None, best_step=step, last_percent=last.percent if last else None
        )
    return Totals(best_r2=best.r2 if best else None, best_step=step, last_r2=last.r2)


def _best(loop: Loop) -> Best | None:
    best = loop.state.progress.best
    return Best(best.step, best.percent, best.loss, loop.checkpoints.kept(best), best.r2) if best else None


def _on_start(run: Run) -> tuple[str, ...]:
    """Return notes on what the run begins with, and what stays as it is."""
    start = (run.match.text(),) if run.match and run.checkpoint is None else ()
    return (*start, *([f"frozen: {', '.join(run.frozen)}"] if run.frozen else []))


def _on_snapshots(run: Run, loop: Loop) -> tuple[str, ...]:
    """Return notes on what the snapshots will take, where that is not what one would expect."""
    room = shutil.disk_usage(run.db.absolute().parent).free
    return forecast(run.settings, loop.state.layout, run.last_step(), room)


def _workers(run: Run, loop: Loop) -> int:
    return run.settings.workers or len(that_compute(loop.source.workers()))
