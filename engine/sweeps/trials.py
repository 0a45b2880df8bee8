"""Carries out the trials of a sweep, one after the other."""

import json
import logging
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from engine.checkpoint import kept
from engine.errors import DivergedError, RecordsError, run_in_progress
from engine.records import TrialRecord, TrialRow, read_trials
from engine.records.status import RunStatus, TrialStatus
from engine.sweeps.best import NAME, write_settings
from engine.sweeps.plan import Plan
from engine.sweeps.pruning import MedianRule
from engine.sweeps.report import SweepReporter, SweepResult
from engine.sweeps.samplers import Sampler
from engine.sweeps.trial import OVER, Trial, ranked
from engine.training.defaults import DEFAULT_DB
from engine.training.process import AT_ONCE, TrainingProcess
from engine.training.run import Run
from engine.training.state import state_of
from engine.training.stopping import StopKind

log = logging.getLogger("gradsum.sweeps")


class Trials:
    """The trials of a sweep in this process: those that are over are read, the others carried out."""

    def __init__(self, plan: Plan, sampler: Sampler, process: TrainingProcess, reporter: SweepReporter) -> None:
        self._plan = plan
        self._sampler = sampler
        self._process = process
        self._reporter = reporter
        self._records = process.open_records(plan.base.db)
        self._measure = plan.base.data.measure
        self._number = self._records.begin_sweep(plan.row) if plan.number is None else plan.number
        if plan.number is not None:
            self._records.extend_sweep(plan.number, plan.row.trials)
        self._trials: list[Trial] = []

    def run(self) -> SweepResult:
        """Carry out the trials that are left, and return the result of all."""
        self._reporter.sweep_started(self._number, self._plan.row.trials)
        log.info("sweep %d begins: %d trials", self._number, self._plan.row.trials)
        try:
            with run_in_progress():
                self._take_trials()
                return self._result()
        except AT_ONCE as error:
            command = resuming(self._number, self._plan.row.name, self._plan.base.db)
            error.add_note(f"Resume with:\n  {command}")
            raise
        finally:
            self._reporter.sweep_ended()

    def _take_trials(self) -> None:
        """Take trial after trial from the records, or carry it out, until one is interrupted or there are enough.

        So the sampler and the median rule see the same trials, in the same order, however often the sweep was resumed.
        """
        known = read_trials(self._plan.base.db, self._number)
        for number in range(1, self._plan.row.trials + 1):
            trial = self._trial(known[number]) if number in known else None
            if trial is None or trial.state not in OVER:
                if self._process.interrupt.requested:
                    break
                parameters = trial.parameters if trial else self._sampler.suggest(number)
                trial = self._carry_out(Trial(number, parameters, measure=self._measure), known)
            self._trials.append(trial)
            self._reporter.trial_ended(trial)
            log.info("trial %d of sweep %d: %s", number, self._number, trial.state)
            if trial.state is TrialStatus.INTERRUPTED:
                break
            self._sampler.tell(trial)

    def _carry_out(self, trial: Trial, known: Mapping[int, TrialRecord]) -> Trial:
        """Carry out a trial, or what is left of it, and return it as it is recorded then."""
        run = self._run_of(trial, known)
        state = state_of(run)
        self._process.claim(run.folder)
        start_id = self._process.enter(run)
        row = TrialRow(self._number, trial.number, start_id, json.dumps(dict(trial.parameters)), trial.state)
        self._records.trial(row)
        self._reporter.trial_started(replace(trial, run=start_id))
        if same := next((t.number for t in self._trials if t.parameters == trial.parameters), None):
            self._reporter.notice(f"trial {trial.number} repeats trial {same}: the sampler suggests the same again")
        rule = MedianRule(self._trials, self._plan.row.prune_after, self._measure)
        try:
            ending = _ENDINGS.get(self._process.carry_out(run, start_id, state, rule).stop, TrialStatus.FINISHED)
        except DivergedError as error:
            self._records.finish(RunStatus.FAILED, f"{type(error).__name__}: {error}")
            ending = TrialStatus.FAILED
        except AT_ONCE:
            with suppress(RecordsError):  # if it is they that failed, the trial stays "running"
                self._records.trial(row._replace(state=TrialStatus.INTERRUPTED))
            raise
        [record] = read_trials(self._plan.base.db, self._number, trial.number).values()
        done = replace(self._trial(record), state=ending)
        best = done.best
        self._records.trial(row._replace(state=ending, value=best and best.score, step=best and best.step))
        return done

    def _trial(self, record: TrialRecord) -> Trial:
        row = record.row
        parameters, state = json.loads(row.parameters), TrialStatus(row.state)
        more = record.reason, record.params_sha256, self._measure
        return Trial(row.number, parameters, state, row.startID, record.curve, *more)

    def _run_of(self, trial: Trial, known: Mapping[int, TrialRecord]) -> Run:
        label = self._plan.row.name or self._number
        run = replace(self._plan.run(trial.number, trial.parameters), name=f"sweep/{label}/{trial.number}")
        recorded = known[trial.number].steps if trial.number in known else 0
        if run.checkpoint and run.checkpoint.step > recorded:
            # Rows are on disk before their checkpoint is: this one was kept when the run was deleted, with its curve.
            return replace(run, checkpoint=None)
        return run

    def _result(self) -> SweepResult:
        """Write the best settings, and return the result."""
        plan, trials = self._plan, self._trials
        over = len(trials) == plan.row.trials and trials[-1].state is not TrialStatus.INTERRUPTED
        best = next((trial for trial in ranked(trials) if trial.state is TrialStatus.FINISHED), None)
        config, network = None, None
        if best and (point := best.best) and point.step:  # no settings stand for a run without a step
            said = f"trial {best.number} of sweep {plan.row.name or self._number}"
            said += f": {best.measure.text(point.score)} after step {point.step}"
            run, config = plan.run(best.number, best.parameters), plan.base.folder / NAME
            write_settings(config, run, point.step, said)
            network = kept(run.folder, point.step, run.uuid)
        state = RunStatus.FINISHED if over else RunStatus.INTERRUPTED
        return SweepResult(
            sweep=self._number,
            name=plan.row.name,
            state=state,
            wanted=plan.row.trials,
            trials=trials,
            best=best,
            checkpoint=network,
            config=config,
            db=plan.base.db,
        )


_ENDINGS = {StopKind.INTERRUPTED: TrialStatus.INTERRUPTED, StopKind.PRUNED: TrialStatus.PRUNED}


def resuming(number: int, name: str | None, db: Path) -> str:
    """Return the command that resumes a sweep."""
    where = "" if db == DEFAULT_DB else f" --db {shlex.quote(str(db))}"
    return f"gradsum sweep --resume {shlex.quote(name or str(number))}{where}"
