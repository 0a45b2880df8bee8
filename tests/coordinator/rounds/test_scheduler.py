"""The state machine of a round, by examples; any other order of events is in test_rounds_any_order."""

import random

import pytest

from engine.compute import tree
from engine.compute.tree import Block
from engine.coordinator.rounds import (
    Accept,
    Answered,
    Arbitrate,
    Assign,
    Begin,
    Complete,
    Ignore,
    IgnoreReason,
    Instruction,
    Joined,
    Lapsed,
    Leases,
    Left,
    Scheduler,
    Stranded,
    Tick,
)
from engine.coordinator.rounds.scheduler import REMEMBERED
from engine.coordinator.rounds.worker import FORGET
from tests.support.fakes import CheckedScheduler, replay

PATIENCE = Leases()
FIRST_LEASE = PATIENCE.first_lease
A, B, C = b"A", b"B", b"C"


def joined(*workers: bytes) -> Scheduler:
    rounds = CheckedScheduler()
    for worker in workers:
        assert rounds.handle(Joined(worker), 0.0) == []
    return rounds


def begin(rounds: Scheduler, total: int, number: int = 1, now: float = 0.0, cap: int = 1000) -> list[Instruction]:
    return rounds.handle(Begin(number, total, number, cap), now)


def shares(instructions: list[Instruction]) -> dict[bytes, Block]:
    return {x.worker: x.share for x in instructions if isinstance(x, Assign)}


def answer_all(rounds: Scheduler, assign: Assign, total: int, now: float) -> list[Instruction]:
    """Answer every block of a share at the moment `now`."""
    out: list[Instruction] = []
    for block in tree.cover(*assign.share, total):
        out += rounds.handle(Answered(assign.worker, assign.round, assign.attempt, block), now)
    return out


def test_a_round_of_two_workers() -> None:
    rounds = joined(A, B)
    assert begin(rounds, 6) == [Assign(A, 1, 1, (0, 3), True), Assign(B, 1, 2, (3, 6), True)]
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), 1.0) == [Accept((0, 2))]
    assert rounds.handle(Answered(B, 1, 2, (4, 6)), 1.0) == [Accept((4, 6))]
    assert rounds.handle(Answered(B, 1, 2, (3, 4)), 1.0) == [Accept((3, 4))]
    assert rounds.handle(Answered(A, 1, 1, (2, 3)), 1.0) == [Accept((2, 3)), Complete(1)]


def test_a_round_waits_for_its_first_worker() -> None:
    rounds = CheckedScheduler()
    assert begin(rounds, 4) == []
    assert rounds.handle(Joined(A), 5.0) == [Assign(A, 1, 1, (0, 4), True)]
    assert rounds.handle(Joined(B), 5.0) == [], "everything is handed out"


def test_shares_are_small_until_all_speeds_are_known() -> None:
    """A first share of a large batch would take longer than a lease without an answer that shows that all is well."""
    rounds = joined(A, B)
    given = [x for x in begin(rounds, 400) if isinstance(x, Assign)]
    assert [x.share for x in given] == [(0, 32), (32, 64)]
    now = 0.0
    while given:
        now += 1.0
        assert all(x.share[1] - x.share[0] <= 32 for x in given)
        given = [x for one in given for x in answer_all(rounds, one, 400, now) if isinstance(x, Assign)]
    known = shares(begin(rounds, 400, number=2, now=now))
    assert all(stop - start > 150 for start, stop in known.values())


def test_what_the_gone_had_is_handed_out_again() -> None:
    rounds = joined(A, B)
    first = begin(rounds, 6)
    rounds.handle(Answered(A, 1, 1, (0, 2)), 1.0)
    assert rounds.handle(Left(A), 1.0) == [], "B is busy"
    assert answer_all(rounds, Assign(B, 1, 2, (3, 6), True), 6, 2.0)[-1] == Assign(B, 1, 3, (2, 3), False)
    assert rounds.handle(Answered(A, 1, 1, (2, 3)), 2.0) == [Ignore(A, IgnoreReason.UNASKED, (2, 3))]
    assert rounds.handle(Answered(B, 1, 3, (2, 3)), 2.0) == [Accept((2, 3)), Complete(1)]
    assert shares(first) == {A: (0, 3), B: (3, 6)}


def test_a_lapsed_share_is_handed_out_again_and_the_first_answer_counts() -> None:
    rounds = joined(A, B)
    begin(rounds, 2)
    rounds.handle(Answered(B, 1, 2, (1, 2)), 1.0)
    assert rounds.expecting()
    assert rounds.handle(Tick(), FIRST_LEASE) == [Lapsed(A, ((0, 1),)), Assign(B, 1, 3, (0, 1), False)]
    assert rounds.handle(Left(A), FIRST_LEASE) == [], "its blocks were handed out before"
    assert rounds.handle(Joined(A), FIRST_LEASE) == []
    assert rounds.next_deadline() == FIRST_LEASE + PATIENCE.first_late
    assert rounds.handle(Answered(B, 1, 3, (0, 1)), 70.0) == [Accept((0, 1)), Complete(1)]


def test_a_late_answer_counts_if_it_is_the_first() -> None:
    rounds = joined(A)
    begin(rounds, 2)
    assert rounds.handle(Tick(), 100.0) == [Lapsed(A, ((0, 2),))]
    assert rounds.handle(Joined(B), 101.0) == [Assign(B, 1, 2, (0, 2), True)]
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), 102.0) == [Accept((0, 2)), Complete(1)]
    assert begin(rounds, 2, number=2, now=103.0) == [Assign(A, 2, 3, (0, 2), True)]
    assert rounds.handle(Answered(B, 1, 2, (0, 2)), 104.0) == [Ignore(B, IgnoreReason.LATE, (0, 2))]
    assert begin(rounds, 2, number=3, now=105.0) == [Assign(B, 3, 4, (0, 2), True)], "A still has its share of round 2"


def test_a_late_answer_does_not_count_if_it_is_the_second() -> None:
    rounds = joined(A, B)
    begin(rounds, 6)
    for block in ((3, 4), (4, 6)):
        rounds.handle(Answered(B, 1, 2, block), 1.0)
    assert rounds.handle(Tick(), 60.0)[1:] == [Assign(B, 1, 3, (0, 3), False)]
    assert rounds.handle(Tick(), 61.0) == [], "a lease lapses once"
    assert rounds.handle(Answered(B, 1, 3, (0, 2)), 62.0) == [Accept((0, 2))]
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), 63.0) == [Ignore(A, IgnoreReason.REPEATED, (0, 2))]
    assert rounds.handle(Answered(A, 1, 1, (2, 3)), 64.0) == [Accept((2, 3)), Complete(1)]


def test_what_was_answered_late_is_not_handed_out_again() -> None:
    rounds = joined(A, B)
    begin(rounds, 4)
    assert rounds.handle(Tick(), 60.0) == [Lapsed(A, ((0, 2),)), Lapsed(B, ((2, 4),))]
    assert rounds.handle(Answered(B, 1, 2, (2, 4)), 61.0) == [Accept((2, 4)), Assign(B, 1, 3, (0, 2), False)]
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), 62.0) == [Accept((0, 2)), Complete(1)]


def test_a_silent_worker_gets_nothing_until_it_answers() -> None:
    rounds = joined(A, B)
    begin(rounds, 2)
    rounds.handle(Tick(), 100.0)
    for number in (2, 3):
        assert begin(rounds, 2, number=number, now=100.0) == []
        assert rounds.next_deadline() is None, "nobody is expected to answer"
    assert rounds.handle(Answered(A, 1, 1, (0, 1)), 101.0)[1:] == [Assign(A, 3, 3, (0, 2), True)]


@pytest.mark.parametrize(
    "wrong",
    [
        Answered(A, 2, 1, (0, 2)),
        Answered(A, 1, 2, (0, 2)),
        Answered(B, 1, 1, (0, 2)),
        Answered(C, 1, 1, (0, 2)),
        Answered(A, 1, 1, (0, 1)),
        Answered(A, 1, 1, (0, 3)),
        Answered(A, 1, 1, (2, 3)),
        Answered(A, 1, 1, (-5, 900)),
    ],
)
def test_an_invented_answer_changes_nothing(wrong: Answered) -> None:
    rounds = joined(A, B)
    assert shares(begin(rounds, 3)) == {A: (0, 2), B: (2, 3)}
    rounds.handle(Left(B), 0.0)
    (ignore,) = rounds.handle(wrong, 1.0)
    assert isinstance(ignore, Ignore)
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), 1.0) == [Accept((0, 2)), Assign(A, 1, 3, (2, 3), False)]


def test_no_share_is_above_the_cap() -> None:
    rounds = joined(A, B)
    handed = begin(rounds, 100, cap=8)
    seen = []
    while handed:
        one = handed.pop(0)
        if isinstance(one, Assign):
            seen.append(one.share)
            handed += answer_all(rounds, one, 100, 1.0)
    assert max(stop - start for start, stop in seen) == 8
    assert sorted(i for start, stop in seen for i in range(start, stop)) == list(range(100))


def run_rounds(rounds: Scheduler, seconds: dict[bytes, float], total: int, numbers: range) -> dict[bytes, list[int]]:
    """Carry out rounds with workers that need so many seconds a micro-batch; return the sizes of their shares."""
    sizes: dict[bytes, list[int]] = {worker: [] for worker in seconds}
    for number in numbers:
        now = number * 1000.0
        assigns = [x for x in begin(rounds, total, number, now) if isinstance(x, Assign)]
        for worker in seconds:
            sizes[worker].append(sum(x.share[1] - x.share[0] for x in assigns if x.worker == worker))
        for x in sorted(assigns, key=lambda x: seconds[x.worker] * (x.share[1] - x.share[0])):
            answer_all(rounds, x, total, now + seconds[x.worker] * (x.share[1] - x.share[0]))
    return sizes


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_shares_follow_the_measured_speed_whoever_came_first(order: tuple[bytes, bytes]) -> None:
    sizes = run_rounds(joined(*order), {A: 0.1, B: 0.3}, 40, range(1, 30))
    assert (sizes[A][-1], sizes[B][-1]) == (30, 10)


def test_workers_keep_their_places_while_they_are_about_as_fast_as_they_were() -> None:
    rounds, seen = joined(A, B), list[dict[bytes, Block]]()
    for number in range(1, 61):
        first, second = (0.1, 0.101) if number % 2 else (0.101, 0.1)
        assigns = [x for x in begin(rounds, 8, number, number * 1000.0) if isinstance(x, Assign)]
        seen.append({x.worker: x.share for x in assigns})
        for x in assigns:
            seconds = {A: first, B: second if number <= 40 else 0.05}[x.worker]
            answer_all(rounds, x, 8, number * 1000.0 + seconds * (x.share[1] - x.share[0]))
    assert seen[10:40] == [seen[10]] * 30
    assert seen[-1] == {B: (0, 5), A: (5, 8)}


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_one_too_slow_for_a_micro_batch_gets_none_but_is_tried_again(order: tuple[bytes, bytes]) -> None:
    sizes = run_rounds(joined(*order), {A: 0.1, B: 10.0}, 4, range(1, 3 + 2 * FORGET))
    assert sizes[B][:4] == [2, 2, 0, 0]
    assert 1 <= sum(map(bool, sizes[B][3:])) <= 3
    assert all(a + b == 4 for a, b in zip(sizes[A], sizes[B], strict=True))


@pytest.mark.parametrize(("fast", "slow"), [(A, B), (B, A)])
def test_one_too_slow_does_not_get_the_share_of_another_whatever_its_name(fast: bytes, slow: bytes) -> None:
    sizes = run_rounds(joined(A, B), {fast: 0.1, slow: 10.0}, 4, range(1, 9))
    assert sizes == {fast: [2, 2, *[4] * 6], slow: [2, 2, *[0] * 6]}


def test_an_unknown_speed_is_taken_to_be_the_mean_of_those_that_are_known() -> None:
    rounds = joined(A, B)
    run_rounds(rounds, {A: 0.5, B: 0.25}, 30, range(1, 3))
    rounds.handle(Joined(C), 5000.0)
    sizes = {worker: stop - start for worker, (start, stop) in shares(begin(rounds, 27, 5, 5000.0)).items()}
    assert sizes == {A: 6, B: 12, C: 9}, "in proportion to 2, 4 and 3"


def test_the_first_share_of_a_worker_says_nothing_about_its_speed() -> None:
    rounds = joined(A, B)
    run_rounds(rounds, {A: 0.1, B: 50.0}, 4, range(1, 2))
    sizes = run_rounds(rounds, {A: 0.1, B: 0.1}, 4, range(2, 5))
    assert sizes == {A: [2, 2, 2], B: [2, 2, 2]}


@pytest.mark.parametrize(
    ("seconds", "late", "lease"),
    [
        (1.0, 6 * 10, 20 * 10),
        (0.001, PATIENCE.least_late, PATIENCE.least_lease),
        (1000.0, PATIENCE.most_lease, PATIENCE.most_lease),
    ],
)
def test_a_lease_is_proportional_to_the_expected_duration(seconds: float, late: float, lease: float) -> None:
    rounds = joined(A)
    run_rounds(rounds, {A: seconds}, 10, range(1, 3))
    rounds.handle(Tick(), 40_000.0)
    begin(rounds, 10, 3, 50_000.0)
    assert rounds.next_deadline() == pytest.approx(50_000.0 + late)
    rounds.handle(Tick(), 50_000.0 + late)
    assert rounds.next_deadline() == (pytest.approx(50_000.0 + lease) if late < lease else None)


def test_a_newcomer_is_waited_for_as_if_it_were_four_times_slower_than_the_slowest() -> None:
    rounds = joined(A, B)
    run_rounds(rounds, {A: 1.0, B: 2.0}, 30, range(1, 3))
    rounds.handle(Joined(C), 5000.0)
    share = shares(begin(rounds, 30, 3, 6000.0))[C]
    assert [share[1] - share[0]] == [10]
    lapsed = [x for x in rounds.handle(Tick(), 6000.0 + 20 * 10 * 2 * 4 - 1) if isinstance(x, Lapsed)]
    assert {x.worker for x in lapsed} == {A, B}
    lapsed = [x for x in rounds.handle(Tick(), 6000.0 + 20 * 10 * 2 * 4) if isinstance(x, Lapsed)]
    assert {x.worker for x in lapsed} == {C}


@pytest.mark.parametrize("answered", [A, B])
def test_the_deadline_of_a_share_depends_on_its_size_and_not_on_its_place(answered: bytes) -> None:
    rounds = joined(A, B)
    run_rounds(rounds, {A: 1.0, B: 1.0}, 20, range(1, 3))
    given = {x.worker: x for x in begin(rounds, 20, 3, 5000.0) if isinstance(x, Assign)}
    answer_all(rounds, given[answered], 20, 5001.0)
    rounds.handle(Tick(), 5001.0)
    assert rounds.next_deadline() == pytest.approx(5000.0 + 6 * 10)


LATE = PATIENCE.first_late


def test_one_who_is_late_is_helped_by_one_who_is_idle() -> None:
    """A has the blocks (0, 2) and (2, 3), and answers none; the last of a share is copied first."""
    rounds = joined(A, B, C)
    assert shares(begin(rounds, 9)) == {A: (0, 3), B: (3, 6), C: (6, 9)}
    answer_all(rounds, Assign(B, 1, 2, (3, 6), True), 9, 1.0)
    assert rounds.next_deadline() == LATE
    assert rounds.handle(Tick(), LATE - 0.1) == []
    assert rounds.handle(Tick(), LATE) == [Assign(B, 1, 4, (2, 3), False)]
    *_, copy = answer_all(rounds, Assign(C, 1, 3, (6, 9), True), 9, LATE)
    assert copy == Assign(C, 1, 5, (0, 2), False)
    assert rounds.handle(Answered(B, 1, 4, (2, 3)), LATE + 1) == [Accept((2, 3))], "one copy of a block is enough"
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), LATE + 1) == [Accept((0, 2)), Complete(1)]
    assert rounds.handle(Answered(A, 1, 1, (2, 3)), LATE + 2) == [Ignore(A, IgnoreReason.LATE, (2, 3))]


def test_the_second_answer_is_not_counted() -> None:
    rounds = joined(A, B)
    begin(rounds, 6)
    answer_all(rounds, Assign(B, 1, 2, (3, 6), True), 6, 1.0)
    assert rounds.handle(Tick(), LATE) == [Assign(B, 1, 3, (2, 3), False)]
    assert rounds.handle(Answered(B, 1, 3, (2, 3)), LATE) == [Accept((2, 3)), Assign(B, 1, 4, (0, 2), False)]
    assert rounds.handle(Answered(A, 1, 1, (2, 3)), LATE) == [Ignore(A, IgnoreReason.REPEATED, (2, 3))]
    assert rounds.handle(Answered(A, 1, 1, (2, 3)), LATE) == [Ignore(A, IgnoreReason.DOUBLED, (2, 3))]
    assert rounds.handle(Answered(A, 1, 1, (0, 2)), LATE) == [Accept((0, 2)), Complete(1)]


@pytest.mark.parametrize("end", ["leaves", "lapses"])
def test_a_copy_whose_original_is_gone_is_not_handed_out_again(end: str) -> None:
    rounds = joined(A, B)
    begin(rounds, 2)
    rounds.handle(Answered(B, 1, 2, (1, 2)), 1.0)
    now = PATIENCE.first_lease - 0.1
    assert rounds.handle(Tick(), now) == [Assign(B, 1, 3, (0, 1), False)]
    out = rounds.handle(Left(A), now) if end == "leaves" else rounds.handle(Tick(), now + 0.1)
    assert [x for x in out if not isinstance(x, Lapsed)] == []
    assert rounds.handle(Joined(C), now + 0.2) == []
    assert rounds.handle(Left(B), now + 0.3) == [Assign(C, 1, 4, (0, 1), True)], "now nobody has it"


def test_a_copy_that_is_late_is_copied() -> None:
    rounds = joined(A, B, C)
    begin(rounds, 3)
    rounds.handle(Answered(B, 1, 2, (1, 2)), 1.0)
    assert rounds.handle(Tick(), LATE) == [Assign(B, 1, 4, (0, 1), False)], "A and C are late alike"
    assert rounds.handle(Joined(b"D"), LATE) == [Assign(b"D", 1, 5, (2, 3), True)]
    assert rounds.handle(Joined(b"E"), LATE) == [], "B and D are not late yet"
    assert rounds.handle(Tick(), 2 * LATE) == [Assign(b"E", 1, 6, (0, 1), True)]


def test_one_that_comes_back_has_no_second_vote() -> None:
    """A says that (0, 2) is not finite, and leaves; what it says under another name is not agreement."""
    rounds = joined(A)
    begin(rounds, 2)
    rounds.handle(Joined(B), 0.0)
    out = rounds.handle(Answered(A, 1, 1, (0, 2), "nonsense", finite=False), 1.0)
    assert out == [Ignore(A, IgnoreReason.NOT_FINITE, (0, 2)), Assign(B, 1, 2, (0, 2), True)]
    assert rounds.handle(Left(B), 1.0) == [Arbitrate((0, 2))]
    rounds = joined(A, B)
    begin(rounds, 1)
    rounds.handle(Answered(A, 1, 1, (0, 1), "nonsense", finite=False), 1.0)
    rounds.handle(Left(A), 1.0)
    rounds.handle(Joined(C), 1.0)
    assert rounds.handle(Answered(B, 1, 2, (0, 1), "nonsense", finite=False), 1.0)[1:] == []
    assert rounds.handle(Answered(C, 1, 3, (0, 1), "nonsense", finite=False), 1.0)[1:] == [Accept((0, 1)), Complete(1)]


def test_the_last_events_are_remembered_with_what_was_to_be_done() -> None:
    rounds = joined(A)
    assign = Assign(A, 1, 1, (0, 2), True)
    begin(rounds, 2, now=3.0)
    assert rounds.events() == [(0.0, Joined(A), ()), (3.0, Begin(1, 2, 1, 1000), (assign,))]
    with pytest.raises(ValueError, match="without its bits"):
        rounds.handle(Answered(A, 1, 1, (0, 2), finite=False), 4.0)
    assert rounds.events()[-1] == (4.0, Answered(A, 1, 1, (0, 2), finite=False), ()), "the one to look at"
    rounds = joined(A, B)
    for _ in range(REMEMBERED - 1):
        rounds.handle(Tick(), 5.0)
    assert len(rounds.events()) == REMEMBERED
    assert rounds.events()[0] == (0.0, Joined(B), ())


def test_what_was_remembered_can_be_replayed() -> None:
    rounds = joined(A, B)
    run_rounds(rounds, {A: 0.1, B: 0.3}, 12, range(1, 20))
    rounds.handle(Left(A), 30_000.0)
    begin(rounds, 5, 20, 30_000.0)
    rounds.handle(Tick(), 40_000.0)
    assert len(rounds.events()) >= 100
    replay(rounds.events())


@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_in_a_healthy_run_nothing_is_computed_twice(workers: int) -> None:
    """Durations vary by up to a factor of three, and every wait ends in a Tick."""
    rng = random.Random(workers)
    rounds = joined(*[b"%d" % i for i in range(workers)])
    now, handed = 0.0, 0
    for number in range(1, 60):
        todo = [(now + rng.uniform(5, 15), x) for x in begin(rounds, 4 * workers, number, now) if isinstance(x, Assign)]
        handed += sum(x.share[1] - x.share[0] for _, x in todo)
        for moment, assign in sorted(todo, key=lambda pair: pair[0]):
            now = moment
            out = rounds.handle(Tick(), now) + answer_all(rounds, assign, 4 * workers, now)
            assert not any(isinstance(x, Assign | Lapsed | Ignore) for x in out)
    assert handed == 59 * 4 * workers


def test_one_that_waits_for_what_does_not_come_is_given_something_else_once_its_round_is_over() -> None:
    rounds = joined(A, B)
    a, b = begin(rounds, 2)
    assert isinstance(a, Assign)
    assert isinstance(b, Assign)
    assert answer_all(rounds, a, 2, 1.0) == [Accept((0, 1))]
    assert rounds.handle(Stranded(B), 2.0) == [], "the round goes on: others have a copy when it is late"
    (copy,) = rounds.handle(Tick(), FIRST_LEASE / 2)
    assert isinstance(copy, Assign)
    assert answer_all(rounds, copy, 2, FIRST_LEASE / 2) == [Accept((1, 2)), Complete(1)]
    assert shares(begin(rounds, 2, 2, FIRST_LEASE / 2)) == {A: (0, 2)}
    rounds.handle(Left(A), FIRST_LEASE / 2)
    assert rounds.handle(Stranded(B), FIRST_LEASE / 2) == [Assign(B, 2, 5, (0, 2), True)]
    rounds.handle(Stranded(C), FIRST_LEASE / 2)
