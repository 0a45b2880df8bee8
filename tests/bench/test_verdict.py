"""What the figures come to, in words, and the prediction for a second machine."""

from typing import Any

import pytest

from engine.bench.verdict import elsewhere, second_machine, verdicts


def row(workers: int, rate: float, batch: int = 64, microbatch: int = 16, compute: float = 10.0) -> dict[str, Any]:
    names = {"study": batch, "batch": batch, "microbatch": microbatch, "workers": workers}
    return names | {"images_per_second": rate, "speedup": rate / 1000, "compute": compute, "parameters": 250_000}


@pytest.mark.parametrize(
    ("rows", "cores", "said"),
    [
        ([(0, 1000), (1, 900)], 1, "no workers; more processes cost more than they bring"),
        ([(0, 1000), (1, 1010)], 1, "no workers; more processes cost more than they bring"),
        ([(0, 1000), (2, 1800)], 2, "2 workers, 1.8 times as fast as none; more would have to share cores"),
        ([(0, 1000), (2, 1800)], 8, "2 workers, 1.8 times as fast as none; more were not tried"),
        ([(0, 1000), (2, 1800), (3, 1700)], 8, "2 workers, 1.8 times as fast as none; more were not faster"),
        ([(0, 1000), (2, 1800), (3, 1820)], 8, "2 workers, 1.8 times as fast as none; more were not faster"),
        ([(0, 1000), (4, 3000)], 8, "4 workers, 3.0 times as fast as none; more would have no micro-batch to work on"),
        ([(0, 1000), (1, 1100)], 8, "1 worker, 1.1 times as fast as none; more were not tried"),
    ],
)
def test_the_best_number_of_workers(rows: list[tuple[int, float]], cores: int, said: str) -> None:
    assert verdicts([row(*values) for values in rows], cores) == [f"best here for batch 64: {said}"]


def test_a_sentence_for_each_batch_and_the_best_micro_batch() -> None:
    rows = [row(0, 1000), row(2, 1500), row(0, 1000, microbatch=8), row(2, 1600, microbatch=8), row(0, 900, 256)]
    assert verdicts(rows, 2) == [
        "best here for batch 64: micro-batch 8: 2 workers, 1.6 times as fast as none; more would have to share cores",
        "for batch 256 no workers were tried",
    ]


def test_of_workers_that_were_not_tried_nothing_is_said() -> None:
    assert verdicts([row(0, 1000)], 2) == ["for batch 64 no workers were tried"]
    assert verdicts([row(0, 1000), row(0, 1100, microbatch=8)], 2) == [
        "best here for batch 64: micro-batch 8; no workers were tried"
    ]
    assert elsewhere({}) == []
    assert elsewhere({"a": 2, "b": 1}) == ["workers elsewhere: 2 on a, 1 on b"]


def test_a_second_machine_halves_what_is_computed_and_adds_what_is_sent() -> None:
    # A step takes 20 ms, 10 of which are computed by two workers; 4 vectors of 1 MB take 32 ms at 1 Gbit/s.
    found = second_machine([row(2, 3200, compute=10)])
    slow, fast = 20 / (20 - 5 + 0.8 * 32), 20 / (20 - 5 + 0.8 * 3.2)
    about = "a second machine like this one for batch 64, predicted"
    assert found == [f"{about}: {slow:.1f} times at 1 Gbit/s, {fast:.1f} times at 10 Gbit/s"]


def test_a_second_machine_without_a_micro_batch_saves_nothing() -> None:
    found = second_machine([row(4, 3200, compute=10)])
    assert found[0].endswith(
        f"{20 / (20 + 0.8 * 64):.1f} times at 1 Gbit/s, {20 / (20 + 0.8 * 6.4):.1f} times at 10 Gbit/s"
    )
