"""Where trials are carried out, one after the other: workers of their own, and what writes their records."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from engine.errors import DivergedError, RecordsError
from engine.records import Recorder, TrialRecord, TrialRow, read_trials
from engine.records.status import RunStatus, TrialStatus
from engine.sweeps.plan import Plan
from engine.sweeps.pruning import MedianRule
from engine.sweeps.side_by_side import ConcurrentReporter
from engine.sweeps.trial import Trial
from engine.training.process import ABORTS, TrainingProcess
from engine.training.run import Run
from engine.training.state import TrainingState, state_of
from engine.training.stopping import StopKind


class Slot:
    """Carries out trials of sweep `sweep` on the workers of `process`; `records` are what that writes."""

    def __init__(self, plan: Plan, sweep: int, process: TrainingProcess, records: Recorder) -> None:
        self._plan = plan
        self._sweep = sweep
        self._process = process
        self._records = records

    def begin(self, trial: Trial, known: Mapping[int, TrialRecord]) -> tuple[Trial, Run, TrainingState]:
        """Enter a trial in the records, or what is left of it; return it with its run and where that stands."""
        if isinstance(self._process.reporter, ConcurrentReporter):
            self._process.reporter.who = f"trial {trial.number}"
        self._process.claim(self._plan.folder(trial.number))
        run = self._run_of(trial, known)
        state = state_of(run)
        begun = replace(trial, run=self._process.enter(run))
        self._records.trial(self._row(begun))
        return begun, run, state

    def carry_out(self, trial: Trial, run: Run, state: TrainingState, rule: MedianRule) -> Trial:
        """Carry out a trial that has begun, and return it as it is recorded then."""
        row = self._row(trial)
        try:
            ending = _ENDINGS.get(self._process.carry_out(run, row.startID, state, rule).stop, TrialStatus.FINISHED)
        except DivergedError as error:
            self._records.finish(RunStatus.FAILED, f"{type(error).__name__}: {error}")
            ending = TrialStatus.FAILED
        except ABORTS:
            with suppress(RecordsError):  # if it is they that failed, the trial stays "running"
                self._records.trial(row._replace(state=TrialStatus.INTERRUPTED))
            raise
        [record] = read_trials(self._plan.base.db, self._sweep, trial.number).values()
        done = replace(trial_of(record, self._plan), state=ending)
        best = done.best
        self._records.trial(row._replace(state=ending, value=best and best.score, step=best and best.step))
        return done

    def _row(self, trial: Trial) -> TrialRow:
        return TrialRow(self._sweep, trial.number, trial.run or 0, json.dumps(dict(trial.parameters)), trial.state)

    def _run_of(self, trial: Trial, known: Mapping[int, TrialRecord]) -> Run:
        label = self._plan.row.name or self._sweep
        run = replace(self._plan.run(trial.number, trial.parameters), name=f"sweep/{label}/{trial.number}")
        recorded = known[trial.number].steps if trial.number in known else 0
        if run.checkpoint and run.checkpoint.step > recorded:
            # Rows are on disk before their checkpoint is: this one was kept when the run was deleted, with its curve.
            return replace(run, checkpoint=None)
        return run


_ENDINGS = {StopKind.INTERRUPTED: TrialStatus.INTERRUPTED, StopKind.PRUNED: TrialStatus.PRUNED}


def trial_of(record: TrialRecord, plan: Plan) -> Trial:
    """Return the trial that is recorded."""
    row, measure = record.row, plan.base.data.measure
    parameters, state = json.loads(row.parameters), TrialStatus(row.state)
    return Trial(row.number, parameters, state, row.startID, record.curve, record.reason, record.params_sha256, measure)
