"""Optuna's sampler TPE, by ask and tell. Optuna is an extra, and imported only here and only when asked for."""

from functools import cached_property
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from engine.records.status import TrialStatus
from engine.sweeps.space import Choice, Dimension, Parameters, Space
from engine.sweeps.trial import Trial

NAME = "gradsum"  # of the study in its storage
_PRIME = 1_000_003  # trials of one sweep have seeds of their own, as do sweeps


class Tpe:
    """Tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011).

    There is a new sampler for each trial, so that what it suggests depends on nothing but the sweep, the number of the
    trial, and the trials before: those that have not ended count for nothing. `storage` is a journal file for Optuna's
    own tools. When a sweep is resumed it is replaced, and told the earlier trials again: what counts is in the records.
    """

    def __init__(self, space: Space, seed: int, storage: Path) -> None:
        self._distributions = {name: _distribution(dimension) for name, dimension in space.items()}
        self._seed = seed
        self._storage = storage
        self._asked: dict[int, optuna.Trial] = {}  # trials that have not ended, by number

    @cached_property
    def _study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage.parent.mkdir(parents=True, exist_ok=True)
        for old in self._storage.parent.glob(f"{self._storage.name}*"):  # with its lock, if it was killed in writing
            old.unlink()
        journal = JournalStorage(JournalFileBackend(str(self._storage.absolute())))
        return optuna.create_study(storage=journal, study_name=NAME, direction="maximize")

    def suggest(self, number: int, known: Parameters | None = None) -> Parameters:
        """Return the parameters of trial `number`: those that are `known`, if it began before."""
        if known:
            self._study.enqueue_trial(dict(known))
        self._study.sampler = optuna.samplers.TPESampler(seed=(self._seed * _PRIME + number) % (1 << 32))
        asked = self._asked[number] = self._study.ask(self._distributions)
        return {name: asked.params[name] for name in self._distributions}

    def tell(self, trial: Trial) -> None:
        """Report how a trial ended that was suggested."""
        value = trial.best.score if trial.state is TrialStatus.FINISHED and trial.best else None
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE  # one that diverged counts as the worst
        asked = self._asked.pop(trial.number)
        for point in trial.curve:
            asked.report(point.score, point.step)
        self._study.tell(asked, value, state)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    if dimension.integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
