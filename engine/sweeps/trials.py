"""Carries out the trials of a sweep: one after the other, or some side by side."""

import logging
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path

from engine.checkpoint import kept
from engine.errors import run_in_progress
from engine.records import Recorder, TrialRecord, read_trials
from engine.records.status import RunStatus, TrialStatus
from engine.sweeps.best import NAME, write_settings
from engine.sweeps.plan import Plan
from engine.sweeps.pruning import MedianRule
from engine.sweeps.report import SweepReporter, SweepResult
from engine.sweeps.samplers import Sampler
from engine.sweeps.side_by_side import Calls, executor_for, run_calls
from engine.sweeps.slot import Slot, trial_of
from engine.sweeps.trial import OVER, Trial, ranked
from engine.training.defaults import DEFAULT_DB
from engine.training.process import ABORTS, TrainingProcess

log = logging.getLogger("gradsum.sweeps")

TELL = 0.1  # seconds between reports to the reporter


class Trials:
    """The trials of a sweep: those that are over are read, the others carried out.

    `processes` have workers each, as many as trials are carried out at a time, and what writes their records. `calls`:
    what these report meanwhile.
    """

    def __init__(
        self,
        plan: Plan,
        sampler: Sampler,
        processes: Sequence[tuple[TrainingProcess, Recorder]],
        reporter: SweepReporter,
        calls: Calls,
    ) -> None:
        self._plan = plan
        self._sampler = sampler
        self._records = records = processes[0][1]
        self._interrupt = processes[0][0].interrupt
        self._reporter = reporter
        self._calls = calls
        self._number = records.begin_sweep(plan.row) if plan.number is None else plan.number
        if plan.number is not None:
            records.extend_sweep(plan.number, plan.row.trials)
        self._free = [Slot(plan, self._number, *one) for one in processes]
        self._running: dict[Future[Trial], tuple[Slot, Trial]] = {}
        self._over: dict[int, Trial] = {}
        self._settled = 0  # the sampler knows how so many trials ended, from the first on

    def run(self) -> SweepResult:
        """Carry out the trials that are left, and return the result of all."""
        self._reporter.sweep_started(self._number, self._plan.row.trials)
        log.info("sweep %d begins: %d trials", self._number, self._plan.row.trials)
        try:
            with run_in_progress(), executor_for(len(self._free)) as executor:
                try:
                    self._take_trials(executor)
                except BaseException:
                    self._interrupt.request("word that the sweep ends")  # the executor waits for the others
                    raise
            return self._result()
        except ABORTS as error:
            command = resuming(self._number, self._plan.row.name, self._plan.base.db)
            error.add_note(f"Resume with:\n  {command}")
            raise
        finally:
            self._reporter.sweep_ended()

    def _take_trials(self, executor: Executor) -> None:
        """Take trial after trial from the records, or carry it out, until one is interrupted or there are enough.

        A trial begins when all are over that are as many before it as there are at a time. It is suggested, and
        pruned, by what is known of those and nothing else. So the sampler and the median rule see the same trials, in
        the same order, whichever ends first, and however often the sweep was resumed.
        """
        known = read_trials(self._plan.base.db, self._number)
        for number in range(1, self._plan.row.trials + 1):
            if not self._settle(number - self._plan.at_once):
                break
            trial = trial_of(known[number], self._plan) if number in known else None
            if trial is None or trial.state not in OVER:
                if self._interrupt.requested:
                    break
                parameters = self._sampler.suggest(number, trial.parameters if trial else None)
                self._start(executor, Trial(number, parameters, measure=self._plan.base.data.measure), known)
            else:
                self._sampler.suggest(number, trial.parameters)
                self._end(trial)
        while self._running:
            self._wait()

    def _settle(self, last: int) -> bool:
        """Wait until the trials up to `last` are over, and tell the sampler; return False if one was interrupted."""
        while self._settled < last:
            if (trial := self._over.get(self._settled + 1)) is None:
                self._wait()
                continue
            if trial.state is TrialStatus.INTERRUPTED:
                return False
            self._sampler.tell(trial)
            self._settled += 1
        return True

    def _start(self, executor: Executor, trial: Trial, known: Mapping[int, TrialRecord]) -> None:
        """Let a trial be carried out. It enters the records here, so that runs are numbered as trials are."""
        while not self._free:
            self._wait()
        slot = self._free.pop(0)
        begun, run, state = slot.begin(trial, known)
        self._reporter.trial_started(begun)
        others = [*self._over.values(), *(other for _, other in self._running.values())]
        if same := min((other.number for other in others if other.parameters == trial.parameters), default=0):
            self._reporter.notice(f"trial {trial.number} repeats trial {same}: the sampler suggests the same again")
        earlier = [self._over[number] for number in range(1, trial.number - self._plan.at_once + 1)]
        rule = MedianRule(earlier, self._plan.row.prune_after, trial.measure)
        self._running[executor.submit(slot.carry_out, begun, run, state, rule)] = slot, begun

    def _wait(self) -> None:
        """Wait a moment, or until a trial is over; tell what was reported meanwhile."""
        done = wait(self._running, TELL, FIRST_COMPLETED).done
        run_calls(self._calls)
        for future in done:
            slot, _ = self._running.pop(future)
            self._end(future.result())
            self._free.append(slot)

    def _end(self, trial: Trial) -> None:
        """Note a trial that is over, or was interrupted."""
        self._over[trial.number] = trial
        self._reporter.trial_ended(trial)
        log.info("trial %d of sweep %d: %s", trial.number, self._number, trial.state)

    def _result(self) -> SweepResult:
        """Write the best settings, and return the result."""
        plan, trials = self._plan, [trial for _, trial in sorted(self._over.items())]
        over = len(trials) == plan.row.trials and all(trial.state in OVER for trial in trials)
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
            records_bytes=self._records.size(*runs) if (runs := [t.run for t in trials if t.run is not None]) else 0,
        )


def resuming(number: int, name: str | None, db: Path) -> str:
    """Return the command that resumes a sweep."""
    where = "" if db == DEFAULT_DB else f" --db {shlex.quote(str(db))}"
    return f"gradsum sweep --resume {shlex.quote(name or str(number))}{where}"
