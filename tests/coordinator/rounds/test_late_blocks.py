"""Blocks that only late workers have, and blocks in question: who is given them, in which order, and who is not."""

import pytest

from engine.coordinator.rounds import (
    Accept,
    Answered,
    Arbitrated,
    Assign,
    Audit,
    Begin,
    Complete,
    Ignore,
    IgnoreReason,
    Instruction,
    Joined,
    Leases,
    Left,
    Scheduler,
    Tick,
)
from engine.coordinator.rounds.worker import FORGET, REMEMBERED
from tests.coordinator.rounds.test_scheduler import A, B, C, answer_all, begin, joined
from tests.support.fakes import CheckedScheduler

D = b"D"
LATE = Leases().first_late


def not_finite(worker: bytes, attempt: int, block: tuple[int, int]) -> Answered:
    return Answered(worker, 1, attempt, block, "nonsense", finite=False)


def helped() -> Scheduler:
    """A is late with the only block, of which B has a copy; C is idle."""
    rounds = joined(A)
    begin(rounds, 1)
    rounds.handle(Tick(), LATE)
    assert rounds.handle(Joined(B), LATE) == [Assign(B, 1, 2, (0, 1), True)]
    assert rounds.handle(Joined(C), LATE) == []
    return rounds


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("leaves", [True, False])
def test_what_a_worker_has_of_an_earlier_round_is_not_wanted(late: bool, leaves: bool) -> None:
    rounds = joined(A)
    begin(rounds, 2)
    now = LATE if late else 1.0
    rounds.handle(Tick(), now)
    assert begin(rounds, 2, number=2, now=now) == []
    assert rounds.handle(Joined(B), now) == [Assign(B, 2, 2, (0, 2), True)]
    if leaves:
        assert rounds.handle(Left(A), now) == []
    assert rounds.handle(Joined(C), now) == [], "B has all there is to do"


def test_of_several_late_blocks_the_one_that_will_be_late_for_longest_is_copied_first() -> None:
    """A is late since 15 s, B since 20 s, and so B will answer last."""
    rounds = joined(A)
    begin(rounds, 2, cap=1)
    assert rounds.handle(Joined(B), 5.0) == [Assign(B, 1, 2, (1, 2), True)]
    rounds.handle(Tick(), 30.0)
    assert rounds.handle(Joined(C), 30.0) == [Assign(C, 1, 3, (1, 2), True)]
    assert rounds.handle(Joined(D), 30.0) == [Assign(D, 1, 4, (0, 1), True)]


def test_of_a_block_that_several_are_late_with_there_is_one_copy_more() -> None:
    rounds = joined(A)
    begin(rounds, 1)
    now = 0.0
    for number, worker in enumerate((B, C, D), start=2):
        now += LATE
        rounds.handle(Tick(), now)
        assert rounds.handle(Joined(worker), now) == [Assign(worker, 1, number, (0, 1), True)]
        assert rounds.handle(Joined(b"idle"), now) == [], "a copy is on its way"
        rounds.handle(Left(b"idle"), now)


def test_what_is_counted_or_in_question_is_not_copied() -> None:
    """A is late with (0, 2), which is in question, and (2, 3), which is counted."""
    rounds = joined(A, B)
    begin(rounds, 6)
    answer_all(rounds, Assign(B, 1, 2, (3, 6), True), 6, 1.0)
    assert rounds.handle(Tick(), LATE) == [Assign(B, 1, 3, (2, 3), False)]
    assert rounds.handle(Answered(B, 1, 3, (2, 3)), LATE) == [Accept((2, 3)), Assign(B, 1, 4, (0, 2), False)]
    assert rounds.handle(Joined(C), LATE) == []
    ignored = Ignore(B, IgnoreReason.NOT_FINITE, (0, 2))
    assert rounds.handle(not_finite(B, 4, (0, 2)), LATE) == [ignored, Assign(C, 1, 5, (0, 2), True)]
    assert rounds.handle(Joined(D), LATE) == []


def test_what_one_whose_lease_had_lapsed_has_answered_is_not_copied() -> None:
    """B is late with a copy of (0, 1), the only one since A lost its lease; then A answers after all."""
    rounds = joined(A, B, C)
    begin(rounds, 3)
    rounds.handle(Answered(B, 1, 2, (1, 2)), 1.0)
    assert rounds.handle(Tick(), LATE) == [Assign(B, 1, 4, (0, 1), False)]
    lapse = Leases().first_lease
    rounds.handle(Tick(), lapse)
    assert rounds.handle(Answered(A, 1, 1, (0, 1)), lapse) == [Accept((0, 1)), Assign(A, 1, 5, (2, 3), False)]
    assert rounds.handle(Joined(D), lapse) == []


def test_what_is_left_of_a_share_is_handed_out_in_ranges_without_holes() -> None:
    rounds = joined(A, B)
    begin(rounds, 61)
    assert rounds.handle(Answered(A, 1, 1, (16, 24)), 1.0) == [Accept((16, 24))]
    rounds.handle(Left(A), 1.0)
    *_, first = answer_all(rounds, Assign(B, 1, 2, (31, 61), True), 61, 2.0)
    assert first == Assign(B, 1, 3, (0, 16), False)
    assert rounds.handle(Joined(C), 2.0) == [Assign(C, 1, 4, (24, 31), True)]


def test_one_that_is_late_is_not_expected_to_give_its_opinion() -> None:
    rounds = joined(A, B, C)
    audited = rounds.handle(Begin(1, 1, 1, 1000, Audit(1.0, 1, 1)), 0.0)
    assert audited == [Assign(A, 1, 1, (0, 1), True), Assign(B, 1, 2, (0, 1), True)]
    assert rounds.handle(Answered(B, 1, 2, (0, 1), "bits"), 1.0) == []
    assert rounds.handle(Tick(), LATE) == [Assign(C, 1, 3, (0, 1), True)]


def test_one_that_is_late_is_not_expected_when_a_block_comes_into_question() -> None:
    rounds = helped()
    out = rounds.handle(not_finite(B, 2, (0, 1)), LATE)
    assert out == [Ignore(B, IgnoreReason.NOT_FINITE, (0, 1)), Assign(C, 1, 3, (0, 1), True)]


def test_one_that_has_such_a_block_of_an_earlier_round_is_not_expected_either() -> None:
    rounds = joined(A)
    begin(rounds, 2)
    begin(rounds, 2, number=2, now=1.0)
    assert rounds.handle(Joined(B), 1.0) == [Assign(B, 2, 2, (0, 2), True)]
    assert rounds.handle(Joined(C), 1.0) == []
    out = rounds.handle(Answered(B, 2, 2, (0, 2), "nonsense", finite=False), 1.0)
    assert out == [Ignore(B, IgnoreReason.NOT_FINITE, (0, 2)), Assign(C, 2, 3, (0, 2), True)]


def test_one_that_has_a_copy_in_time_is_expected_when_a_block_comes_into_question() -> None:
    rounds = helped()
    assert rounds.handle(not_finite(A, 1, (0, 1)), LATE) == [Ignore(A, IgnoreReason.NOT_FINITE, (0, 1))]


def test_what_was_computed_here_for_another_round_or_block_changes_nothing() -> None:
    rounds = helped()
    for number, block in ((2, (0, 1)), (1, (0, 1)), (1, (0, 2))):
        assert rounds.handle(Arbitrated(number, block, "bits"), LATE) == []
    assert CheckedScheduler().handle(Arbitrated(1, (0, 1), "bits"), 0.0) == []


def test_a_tick_before_its_time_leaves_the_deadline() -> None:
    rounds = joined(A)
    begin(rounds, 1)
    rounds.handle(Tick(), 1.0)
    assert rounds.next_deadline() == LATE


def test_a_few_shares_of_a_worker_are_remembered() -> None:
    rounds = joined(A)
    answers = [Answered(A, number, number, (0, 1)) for number in range(1, REMEMBERED + 2)]
    for answer in answers:
        begin(rounds, 1, answer.round)
        rounds.handle(answer, 0.0)
    reasons = [x.reason for answer in answers for x in rounds.handle(answer, 0.0) if isinstance(x, Ignore)]
    assert reasons == [IgnoreReason.UNASKED, *[IgnoreReason.DOUBLED] * REMEMBERED]


def test_a_worker_that_is_never_passed_over_keeps_its_speed() -> None:
    """It shows in the deadlines: those of a worker whose speed is unknown are others."""
    rounds = joined(A)
    for number in range(1, 2 * FORGET + 3):
        now = 1000.0 * number
        (assign,) = begin(rounds, 10, number, now)
        assert isinstance(assign, Assign)
        rounds.handle(Tick(), now)
        assert number < 3 or rounds.next_deadline() == pytest.approx(now + 6 * 4)
        answer_all(rounds, assign, 10, now + 4)


def test_an_audit_chooses_the_fraction_that_is_asked_for() -> None:
    for fraction in (0.0, 0.3, 1.0):
        chosen = sum(Audit(fraction, 1, 1).chooses((start, start + 1)) for start in range(10_000))
        assert abs(chosen / 10_000 - fraction) <= (0.02 if 0 < fraction < 1 else 0)


def shared(*others: bytes, total: int = 8) -> CheckedScheduler:
    """A has the only block of a round; `others` have joined since."""
    rounds = CheckedScheduler()
    rounds.handle(Joined(A), 0.0)
    begin(rounds, total)
    for other in others:
        rounds.handle(Joined(other), 0.0)
    return rounds


def shares(instructions: list[Instruction]) -> list[tuple[int, int]]:
    return [x.share for x in instructions if isinstance(x, Assign)]


def test_what_a_lost_worker_had_is_split_among_the_others() -> None:
    rounds = shared(B, C, D)
    assert shares(rounds.handle(Left(A), 1.0)) == [(0, 2), (2, 4), (4, 8)]
    assert [Accept((4, 8))] == rounds.handle(Answered(D, 1, 4, (4, 8)), 1.0)


def test_the_only_other_one_gets_it_whole() -> None:
    assert shares(shared(B).handle(Left(A), 1.0)) == [(0, 8)]


def test_what_a_late_worker_has_is_copied_in_pieces() -> None:
    rounds = shared(B, C, D)
    assert shares(rounds.handle(Tick(), LATE)) == [(4, 8), (2, 4), (0, 2)]
    assert Accept((4, 8)) in rounds.handle(Answered(B, 1, 2, (4, 8)), LATE)
    (ignored, *_) = rounds.handle(Answered(A, 1, 1, (0, 8)), LATE)
    assert ignored == Ignore(A, IgnoreReason.REPEATED, (0, 8)), "a piece has been counted"
    assert Accept((2, 4)) in rounds.handle(Answered(C, 1, 3, (2, 4)), LATE)
    assert Complete(1) in rounds.handle(Answered(D, 1, 4, (0, 2)), LATE)


def test_the_late_worker_may_still_be_the_first() -> None:
    rounds = shared(B, C)
    assert shares(rounds.handle(Tick(), LATE)) == [(4, 8), (0, 4)]
    assert rounds.handle(Answered(A, 1, 1, (0, 8)), LATE) == [Accept((0, 8)), Complete(1)]
    assert rounds.handle(Answered(B, 1, 2, (4, 8)), LATE) == [Ignore(B, IgnoreReason.LATE, (4, 8))]


def test_a_whole_that_is_not_finite_is_in_question_as_a_whole() -> None:
    rounds = shared(B, C)
    rounds.handle(Tick(), LATE)
    out = rounds.handle(not_finite(A, 1, (0, 8)), LATE)
    assert out[0] == Ignore(A, IgnoreReason.NOT_FINITE, (0, 8))
    assert rounds.handle(Answered(B, 1, 2, (4, 8)), LATE)[0] == Ignore(B, IgnoreReason.REPEATED, (4, 8))


def test_the_pieces_of_one_that_goes_lost_after_it_was_late() -> None:
    """C has a piece already; what nobody has goes to the others, a block at a time: a range would be computed whole."""
    rounds = shared(B, C)
    rounds.handle(Tick(), LATE)
    assert shares(rounds.handle(Left(A), LATE)) == []
    assert shares(rounds.handle(Left(B), LATE)) == []
    assert shares(rounds.handle(Joined(D), LATE)) == [(4, 8)]


def test_a_relay_has_time_to_start_one_of_its_own() -> None:
    rounds = CheckedScheduler()
    rounds.handle(Joined(A, "", 4), 0.0)
    for number in (1, 2, 3):
        begin(rounds, 8, number=number, now=float(number))
        rounds.handle(Answered(A, number, number, (0, 8)), number + 0.5)
    begin(rounds, 8, number=4, now=10.0)
    rounds.handle(Joined(B), 10.0)
    start = Leases().start
    assert shares(rounds.handle(Tick(), 10.0 + start + 2.9)) == []
    assert shares(rounds.handle(Tick(), 10.0 + start + 3.1)) == [(0, 8)], "six times what it usually takes, and that"


def test_what_was_left_to_a_late_worker_is_given_out_when_its_answer_is_of_no_use() -> None:
    """A has all, C is not there to have a copy of the second half, and B has answered the first."""
    rounds = shared(B, C)
    rounds.handle(Tick(), LATE)
    rounds.handle(Left(C), LATE)
    assert shares(rounds.handle(Answered(B, 1, 2, (4, 8)), LATE)) == [(0, 4)]
    rounds.handle(Left(B), LATE)
    assert shares(rounds.handle(Answered(A, 1, 1, (0, 8)), LATE)) == [(0, 4)]
