"""TPE by way of Optuna: what it suggests depends on the trials before and nothing else."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from engine.records import Point
from engine.records.status import TrialStatus
from engine.sweeps.space import Parameters, space_of
from engine.sweeps.tpe import NAME, Tpe
from engine.sweeps.trial import Trial

FAILED, FINISHED, PRUNED = TrialStatus.FAILED, TrialStatus.FINISHED, TrialStatus.PRUNED

SPACE = space_of({"lr": "1e-4:1e-1:log", "optimizer": "sgd,adam", "batch_size": "8:64", "augment": "true,false"})


def carried_out(number: int, parameters: Parameters) -> Trial:
    """Return how a trial ends in a world where adam with lr 0.01 is best; some are pruned, some diverge."""
    lr = float(parameters["lr"])
    percent = 90 - 20 * abs(math.log10(lr) + 2) - (20 if parameters["optimizer"] == "sgd" else 0)
    state = FAILED if lr > 0.05 else PRUNED if percent < 60 else FINISHED
    curve = () if state == FAILED else (Point(1.0, 10, percent / 2), Point(2.0, 20, percent))
    return Trial(number, parameters, state, curve=curve)


def trials(sampler: Tpe, done: list[Trial], count: int) -> list[Trial]:
    """Return what a sweep does with `sampler`, when the trials `done` are on record."""
    for trial in done:
        assert sampler.suggest(trial.number, trial.parameters) == trial.parameters
        sampler.tell(trial)
    found = list(done)
    for number in range(len(done) + 1, count + 1):
        found.append(carried_out(number, sampler.suggest(number)))
        sampler.tell(found[-1])
    return found


@pytest.mark.parametrize("killed_after", [0, 1, 9, 17, 24])
def test_a_sweep_that_goes_on_has_the_same_trials(tmp_path: Path, killed_after: int) -> None:
    whole = trials(Tpe(SPACE, 3, tmp_path / "whole.log"), [], 25)
    storage = tmp_path / "killed" / "optuna.log"
    before = Tpe(SPACE, 3, storage)
    assert trials(before, [], killed_after) == whole[:killed_after]
    before.suggest(killed_after + 1)  # of which the records know nothing
    storage.with_name("optuna.log.lock").symlink_to(storage)  # killed while it wrote
    assert trials(Tpe(SPACE, 3, storage), whole[:killed_after], 25) == whole
    assert {trial.state for trial in whole} == {FINISHED, PRUNED, FAILED}


def test_it_finds_what_is_best() -> None:
    found = trials(Tpe(SPACE, 5, Path("optuna.log")), [], 60)
    late = found[-20:]
    assert sum(trial.parameters["optimizer"] == "adam" for trial in late) > 15
    assert sum(0.003 < float(trial.parameters["lr"]) < 0.03 for trial in late) > 15
    assert all(type(trial.parameters["batch_size"]) is int for trial in found)
    assert all(type(trial.parameters["augment"]) is bool for trial in found)


def test_optuna_can_read_its_storage() -> None:
    found = trials(Tpe(SPACE, 3, Path("optuna.log")), [], 12)
    study = optuna.load_study(study_name=NAME, storage=JournalStorage(JournalFileBackend("optuna.log")))
    assert [trial.params for trial in study.trials] == [dict(trial.parameters) for trial in found]
    best = max(t.best.score for t in found if t.state == FINISHED and t.best)
    assert study.best_value == best
    assert study.trials[0].intermediate_values == {point.step: point.score for point in found[0].curve}


def test_seeds_differ() -> None:
    first, other = (Tpe(SPACE, seed, Path(f"{seed}.log")).suggest(1) for seed in (3, 4))
    assert first != other
