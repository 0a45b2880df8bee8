"""The public `sweep()`: carries out trial after trial with the same workers, and finds the best."""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.compute.precompile import compile_all, is_compiled
from engine.errors import DivergedError, RecordsError, SettingsError, storage_fails
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer
from engine.records import Recorder, TrialRecord, TrialRow, read_trials
from engine.settings import settings_of
from engine.sweeps.best import NAME, write_settings
from engine.sweeps.plan import Plan, begun, continued
from engine.sweeps.pruning import MedianRule
from engine.sweeps.report import SweepReporter, SweepResult
from engine.sweeps.samplers import Sampler
from engine.sweeps.space import Value
from engine.sweeps.trial import FAILED, FINISHED, INTERRUPTED, OVER, PRUNED, Trial, ranked
from engine.system.blas import one_blas_thread
from engine.system.signals import Interrupt
from engine.training.cluster import Cluster, cluster_for
from engine.training.prepare import DEFAULT_DB
from engine.training.train import AT_ONCE, carry_out, enter


def sweep(
    over: Mapping[str, str | Sequence[Value]] | None = None,
    model: Model | str | Path | None = None,
    data: object = None,
    *,
    trials: int | None = None,
    sampler: str | None = None,
    prune_after: int | None = None,
    optimizer: Optimizer | str | None = None,
    db: Path | str | None = None,
    out: Path | str | None = None,
    resume: str | None = None,
    name: str | None = None,
    reporter: SweepReporter | None = None,
    **settings: Any,
) -> SweepResult:
    """Train with many settings, one run after the other, and return which did best in validation.

    `over`: what to try, by setting: values (a sequence, or "a,b,c") or a range ("1e-4:1e-1:log"); "model" may be one
    of them. `trials`: how many (default: 20, or all of a grid). `sampler`: "random" (default), "grid" or "tpe".
    `prune_after`: so many trials must have finished before one is stopped early (default 5; 0: none ever is).
    `resume`: number or name of a sweep in `db` to go on with; nothing but trials, reporter, workers and the like may
    then be given. The rest is as for `engine.train`, and for all trials.

    Raises UsageError if something asked for cannot be done, WorkersError and WorkerFailedError if the workers cannot
    do the work. That a trial diverges is no error.
    """
    reporter = reporter or SweepReporter()
    given = {key: value for key, value in settings.items() if value is not None}
    given |= settings_of(optimizer) if optimizer else {}
    db, out = (None if path is None else Path(path) for path in (db, out))
    with Interrupt(reporter.interrupted) as interrupt, one_blas_thread():
        reporter.status("preparing data and model")
        if resume is None:
            plan = begun(over or {}, model, data, trials, sampler, prune_after, db, out, name, given)
        else:
            _check_nothing_else(over=over, model=model, sampler=sampler, prune_after=prune_after, out=out, name=name)
            plan = continued(resume, data, trials, db, given)
        plan.check()
        chosen = plan.sampler()
        if not is_compiled():
            reporter.status("compiling kernels, once on this machine: this takes about half a minute")
            compile_all()
        sizes = {one.layout().size for one in plan.models.values()}
        with cluster_for(plan.base.settings, len(sizes) == 1) as cluster, Recorder(plan.base.db) as records:
            if cluster:
                cluster.listen(max(sizes), reporter)
            return _Sitting(plan, chosen, cluster, records, reporter, interrupt).run()


def _check_nothing_else(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise SettingsError(f"{name.replace('_', '-')} is as it was when the sweep was begun: leave the option out")


class _Sitting:
    """What one process does of a sweep."""

    def __init__(
        self,
        plan: Plan,
        sampler: Sampler,
        cluster: Cluster | None,
        records: Recorder,
        reporter: SweepReporter,
        interrupt: Interrupt,
    ) -> None:
        self._plan = plan
        self._sampler = sampler
        self._cluster = cluster
        self._records = records
        self._reporter = reporter
        self._interrupt = interrupt
        self._number = records.begin_sweep(plan.row) if plan.number is None else plan.number
        if plan.number is not None:
            records.extend_sweep(plan.number, plan.row.trials)
        self._trials: list[Trial] = []

    def run(self) -> SweepResult:
        """Carry out the trials that are left, and return the result of all."""
        self._reporter.sweep_started(self._number, self._plan.row.trials)
        try:
            with storage_fails(RecordsError):
                self._go_through()
            return self._result()
        except AT_ONCE as error:
            command = resuming(self._number, self._plan.row.name, self._plan.base.db)
            error.add_note(f"Go on with:\n  {command}")
            raise
        finally:
            self._reporter.sweep_ended()

    def _go_through(self) -> None:
        """Take trial after trial from the records, or carry it out, until one is interrupted or there are enough.

        So the sampler and the median rule see the same trials, in the same order, in whatever sitting.
        """
        known = read_trials(self._plan.base.db, self._number)
        for number in range(1, self._plan.row.trials + 1):
            trial = _trial(known[number]) if number in known else None
            if trial is None or trial.state not in OVER:
                if self._interrupt.requested:
                    break
                parameters = trial.parameters if trial else self._sampler.suggest(number)
                recorded = known[number].steps if number in known else 0
                trial = self._carry_out(Trial(number, parameters), recorded)
            self._trials.append(trial)
            self._reporter.trial_ended(trial)
            if trial.state == INTERRUPTED:
                break
            self._sampler.tell(trial)

    def _carry_out(self, trial: Trial, recorded: int) -> Trial:
        """Carry out a trial, or what is left of it after `recorded` steps, and return it as it is on record then."""
        label = self._plan.row.name or self._number
        run = replace(self._plan.run(trial.number, trial.parameters), name=f"sweep/{label}/{trial.number}")
        if run.checkpoint and run.checkpoint.step > recorded:
            # Rows are on disk before their checkpoint is: this one was kept when the run was deleted, with its curve.
            run = replace(run, checkpoint=None)
        start_id = enter(self._records, run)
        row = TrialRow(self._number, trial.number, start_id, json.dumps(dict(trial.parameters)), trial.state)
        self._records.trial(row)
        self._reporter.trial_started(replace(trial, run=start_id))
        rule = MedianRule(self._trials, self._plan.row.prune_after)
        try:
            result = carry_out(run, start_id, self._cluster, self._records, self._reporter, self._interrupt, rule)
        except DivergedError as error:
            self._records.finish("failed", f"{type(error).__name__}: {error}")
            state = FAILED
        except AT_ONCE:
            with suppress(RecordsError):  # if it is they that failed, the trial stays "running"
                self._records.trial(row._replace(state=INTERRUPTED))
            raise
        else:
            state = INTERRUPTED if result.state == INTERRUPTED else PRUNED if rule.reason else FINISHED
        [record] = read_trials(self._plan.base.db, self._number, trial.number).values()
        done = replace(_trial(record), state=state)
        best = done.best
        self._records.trial(row._replace(state=state, value=best and best.percent, step=best and best.step))
        return done

    def _result(self) -> SweepResult:
        """Write the best settings, and return the result."""
        plan, trials = self._plan, self._trials
        over = len(trials) == plan.row.trials and trials[-1].state != INTERRUPTED
        best = next((trial for trial in ranked(trials) if trial.state == FINISHED), None)
        config = plan.base.folder / NAME if best else None
        if best and best.best and config:
            said = f"trial {best.number} of sweep {plan.row.name or self._number}: {best.best.percent:.2f} % correct"
            write_settings(config, plan.run(best.number, best.parameters), said)
        state = FINISHED if over else INTERRUPTED
        return SweepResult(self._number, plan.row.name, state, plan.row.trials, trials, best, config, plan.base.db)


def resuming(number: int, name: str | None, db: Path) -> str:
    """Return the command that goes on with a sweep."""
    where = "" if db == DEFAULT_DB else f" --db {shlex.quote(str(db))}"
    return f"gradsum sweep --resume {shlex.quote(name or str(number))}{where}"


def _trial(record: TrialRecord) -> Trial:
    row = record.row
    parameters = json.loads(row.parameters)
    return Trial(row.number, parameters, row.state, row.startID, record.curve, record.reason, record.params_sha256)
