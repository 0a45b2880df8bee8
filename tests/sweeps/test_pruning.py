"""The median rule, and which trial is best."""

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from engine.records import Point
from engine.records.status import TrialStatus
from engine.sweeps.pruning import MedianRule
from engine.sweeps.trial import Trial, ranked
from engine.training.stopping import StopKind, StopReason

FAILED, FINISHED, PRUNED, RUNNING = TrialStatus.FAILED, TrialStatus.FINISHED, TrialStatus.PRUNED, TrialStatus.RUNNING

PERCENTS = st.lists(st.floats(0, 100), min_size=4, max_size=4)


def trial(number: int, percents: list[float], state: TrialStatus = FINISHED, per_epoch: int = 10) -> Trial:
    curve = tuple(Point(float(n), n * per_epoch, percent) for n, percent in enumerate(percents, 1))
    return Trial(number, {"lr": 0.1}, state, curve=curve)


@given(others=st.lists(PERCENTS, min_size=1, max_size=7), mine=PERCENTS)
def test_a_trial_goes_when_its_best_is_below_the_median_of_the_others(
    others: list[list[float]], mine: list[float]
) -> None:
    rule = MedianRule([trial(n, percents) for n, percents in enumerate(others, 1)], least=1)
    for n in range(4):
        losing = max(mine[: n + 1]) < median(percents[n] for percents in others)
        assert bool(rule(n + 1.0, max(mine[: n + 1]))) == losing
        if losing:
            return


def test_only_trials_that_finished_count_and_there_must_be_enough() -> None:
    earlier = [trial(n, [90.0]) for n in (1, 2)]
    earlier += [trial(3, [5.0], PRUNED), trial(4, [5.0], FAILED), trial(5, [5.0], RUNNING)]
    text = "pruned: 89.00 % at best, where the median of 2 trials was 90.00 %"
    assert MedianRule(earlier, 2)(1.0, 89.0) == StopReason(StopKind.PRUNED, text)
    none = MedianRule(earlier, 2)(1.0, None)
    assert none is not None
    assert none.text == "pruned: no score yet, where the median of 2 trials was 90.00 %"
    assert MedianRule(earlier, 3)(1.0, 0.0) is None
    assert MedianRule(earlier, 0)(1.0, 0.0) is None, "0: never"
    assert MedianRule([], 1)(1.0, 0.0) is None
    assert MedianRule(earlier, 2)(1.0, 90.0) is None, "as good as the median is good enough"


def test_trials_with_other_batches_are_compared_by_epoch() -> None:
    early = trial(1, [10.0, 20.0, 90.0], per_epoch=1000)
    rule = MedianRule([early], 1)
    assert rule(0.5, 0.0) is None, "the other was not validated so early"
    assert rule(2.0, 20.0) is None
    assert rule(2.5, 20.0) is None, "its last validation until then"
    assert rule(3.0, 20.0) is not None


def test_the_best_comes_first_and_of_equals_the_earlier() -> None:
    trials = [
        trial(1, [50.0]), trial(2, [99.0], PRUNED), trial(3, [40.0, 70.0, 60.0]), trial(4, [70.0]),
        Trial(5, {}, FAILED), trial(6, [10.0], FAILED), Trial(7, {}, FINISHED),
    ]  # fmt: skip
    assert [t.number for t in ranked(trials)] == [3, 4, 1, 7, 2, 6, 5]
    assert trials[2].best == Point(2.0, 20, 70.0)
    assert trial(8, [7.0, 7.0]).best == Point(1.0, 10, 7.0), "the first of equals"
