"""The order of measurements, and medians of whatever has been measured."""

from itertools import islice

import pytest

from engine.bench.case import LEAST_STEPS, Case, cases
from engine.bench.study import PARTS, Study
from engine.training.step_times import WARM_UP

RATES = {0: [100.0, 200.0, 400.0], 2: [150.0, 500.0, 400.0]}


def study(rounds: int = 3, cores: int = 2) -> Study:
    rates = {workers: iter(values) for workers, values in RATES.items()}
    together = iter([200.0, 500.0, 800.0])

    def measure(case: Case) -> dict[str, float]:
        return {"images_per_second": next(rates[case.workers])} | dict.fromkeys(PARTS, 1.0)

    return Study(cases([64], [16], [0, 2], weak=False), rounds, cores, measure, lambda _: next(together))


def test_all_are_measured_in_every_round() -> None:
    order = [(due.round, due.case.workers, due.side_by_side) for due in study(2).measurements()]
    assert order == [(number, *what) for number in (1, 2) for what in ((0, False), (2, False), (2, True))]


def test_what_more_workers_than_cores_could_do_at_best_is_not_measured() -> None:
    assert not any(due.side_by_side for due in study(cores=1).plan)


def test_ratios_are_medians_within_rounds() -> None:
    whole = study()
    assert len(list(whole.measurements())) == len(whole.plan) == 9
    serial, two = whole.rows()
    assert (serial["images_per_second"], serial["speedup"], serial["machine"]) == (200, 1, None)
    assert (two["images_per_second"], two["speedup"], two["slowest"], two["fastest"]) == (400, 1.5, 1, 2.5)
    assert (two["machine"], two["share"]) == (2, 0.75)


@pytest.mark.parametrize(
    ("made", "workers", "machine"),
    [(0, [], None), (1, [0], None), (2, [0, 2], None), (3, [0, 2], 2.0), (4, [0, 2], 2.0)],
)
def test_there_are_rows_for_what_was_measured(made: int, workers: list[int], machine: float | None) -> None:
    part = study()
    list(islice(part.measurements(), made + 1))  # the last one is only due
    rows = part.rows()
    assert [row["workers"] for row in rows] == workers
    assert not rows or rows[-1]["machine"] == machine


def test_weak_scaling_multiplies_the_batch() -> None:
    found = cases([64], [16], [0, 1, 4], weak=True)
    assert [(case.batch, case.workers, case.study) for case in found] == [(64, 0, 64), (64, 1, 64), (256, 4, 64)]


def test_the_micro_batch_of_a_study_is_the_default_of_its_batch() -> None:
    found = cases([64, 256], [], [0, 4], weak=True)
    assert [(case.batch, case.microbatch) for case in found] == [(64, 8), (256, 8), (256, 16), (1024, 16)]


def test_a_run_has_some_steps_however_large_a_batch_is() -> None:
    case = Case(64, 64, 16, 2)
    assert (case.steps(640), case.steps(6400)) == (WARM_UP + LEAST_STEPS, WARM_UP + 100)
