"""The public `sweep()`: carries out trials, one after the other or side by side, and finds the best."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from engine.data.read_options import ReadOptions
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer
from engine.nn.own.imports import Modules, importing
from engine.settings import Settings, SettingsDict, given_settings, paths_given
from engine.sweeps.plan import Plan, SweepRequest, begin_sweep, resume_sweep
from engine.sweeps.report import SweepReporter, SweepResult
from engine.sweeps.side_by_side import Calls, ConcurrentReporter, run_calls
from engine.sweeps.space import Value
from engine.sweeps.trials import Trials
from engine.system.terminal import ProgressLine
from engine.training.prepare import Request
from engine.training.process import TrainingProcess
from engine.training.reporter import checked_reporter


def sweep(
    over: Mapping[str, str | Sequence[Value]] | None = None,
    model: Model | str | Path | None = None,
    data: object = None,
    *,
    trials: int | None = None,
    sampler: str | None = None,
    prune_after: int | None = None,
    at_once: int | None = None,
    settings: Settings | None = None,
    optimizer: Optimizer | str | None = None,
    db: Path | str | None = None,
    out: Path | str | None = None,
    resume: str | None = None,
    name: str | None = None,
    size: int | tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    columns: tuple[str, str] | None = None,
    classes: Sequence[str] | None = None,
    target_column: str | None = None,
    task: str | None = None,
    import_: Modules = None,
    reporter: SweepReporter | None = None,
    **options: Unpack[SettingsDict],
) -> SweepResult:
    """Train with many settings, and return which did best in validation.

    `over`: what to try, by setting: values (a sequence, or "a,b,c") or a range ("1e-4:1e-1:log"); "model" may be one of
    them. `trials`: how many (default: 20, or all of a grid). `sampler`: "random" (default), "grid" or "tpe".
    `prune_after`: so many must have finished before one is stopped early (default 5; 0: none ever is). `at_once`: so
    many run side by side (default 1), each on its own workers; the reporter hears no steps then. `resume`: number or
    name of a sweep in `db` to continue, with other trials, workers or reporter at most. The rest is as for `train`,
    errors included, for all trials. A trial that diverges is not an error.
    """
    db, out = paths_given(db=db, out=out)
    given = given_settings(settings, optimizer, {key: value for key, value in options.items() if value is not None})
    read = ReadOptions(size, skip_unreadable, columns, None if classes is None else tuple(classes), target_column, task)
    asked = Request(model, data, db, out, None, name, given, read)
    with importing(import_):
        return _sweep(SweepRequest(asked, over, trials, sampler, prune_after, resume, at_once), reporter)


def _plan(request: SweepRequest, process: TrainingProcess) -> Plan:
    if request.resume is None:
        return begin_sweep(request, process.converting)
    return resume_sweep(request, request.resume, process.converting)


def _sweep(request: SweepRequest, given: SweepReporter | None) -> SweepResult:
    reporter = checked_reporter(given, SweepReporter)
    with ProgressLine(None if given else sys.stderr) as line, TrainingProcess(reporter, line=line) as process:
        reporter.status("preparing data and model")
        plan = _plan(request, process)
        plan.check()
        sampler = plan.sampler()
        process.use_kernels(plan.base.settings)
        process.compile_kernels()
        calls = Calls()
        with ExitStack() as stack:
            processes = _processes(plan, process, reporter, calls, stack)
            run_calls(calls)
            ready = [(one, one.open_records(plan.base.db)) for one in processes]
            return Trials(plan, sampler, ready, reporter, calls).run()


def _processes(
    plan: Plan, process: TrainingProcess, reporter: SweepReporter, calls: Calls, stack: ExitStack
) -> list[TrainingProcess]:
    """Start the workers and return whose they are: `process`, or others beside it for several trials at a time."""
    sizes = frozenset(one.layout().size for one in plan.models.values())
    settings, folder = plan.base.settings, plan.base.folder
    if plan.at_once == 1:
        process.start_workers(settings, sizes, folder)
        return [process]
    found = []
    for number, on in enumerate(plan.on_each(), 1):
        own = ConcurrentReporter(f"workers {number}", reporter, calls)
        found.append(stack.enter_context(TrainingProcess(own, beside=process)))
        found[-1].start_workers(replace(settings, on=on), sizes, folder / f"workers-{number}")
    return found
