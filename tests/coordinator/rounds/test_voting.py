"""Blocks in question where there are several machines: the second opinion comes from another one."""

from engine.compute import tree
from engine.coordinator.rounds import (
    Accept,
    Answered,
    Arbitrate,
    Arbitrated,
    Assign,
    Audit,
    Begin,
    Complete,
    Differ,
    Expel,
    Instruction,
    Joined,
    Left,
    Scheduler,
    Tick,
)
from tests.support.fakes import CheckedScheduler

A, B, C, D = b"A", b"B", b"C", b"D"
ALL = Audit(1.0, seed=1, step=1)
BLOCK = (0, 1)


def joined(**machines: str) -> Scheduler:
    rounds = CheckedScheduler()
    for name, machine in machines.items():
        assert rounds.handle(Joined(name.encode(), machine), 0.0) == []
    return rounds


def begin(rounds: Scheduler, total: int = 1) -> list[Instruction]:
    return rounds.handle(Begin(1, total, 1, 1000, ALL), 0.0)


def answer(rounds: Scheduler, worker: bytes, attempt: int, bits: str, now: float = 1.0) -> list[Instruction]:
    return rounds.handle(Answered(worker, 1, attempt, BLOCK, bits), now)


def test_the_second_opinion_is_from_another_machine() -> None:
    rounds = joined(A="x", B="x", C="y")
    assert begin(rounds) == [Assign(A, 1, 1, BLOCK, True), Assign(C, 1, 2, BLOCK, True)]
    assert answer(rounds, A, 1, "right") == []
    assert answer(rounds, C, 2, "right") == [Accept(BLOCK), Complete(1)]


def test_where_there_is_one_machine_it_is_from_another_worker() -> None:
    rounds = joined(A="x", B="x")
    assert begin(rounds) == [Assign(A, 1, 1, BLOCK, True), Assign(B, 1, 2, BLOCK, True)]
    assert answer(rounds, A, 1, "right") == []
    assert answer(rounds, B, 2, "right") == [Accept(BLOCK), Complete(1)]


def test_two_machines_that_differ_leave_it_to_the_coordinator() -> None:
    """B is on the machine of A: what is wrong with A may be wrong with it, too."""
    rounds = joined(A="x", B="x", C="y")
    begin(rounds)
    answer(rounds, A, 1, "wrong")
    assert answer(rounds, C, 2, "right") == [Differ((A, C), BLOCK), Arbitrate(BLOCK)]
    assert rounds.handle(Arbitrated(1, BLOCK, "right"), 2.0) == [Accept(BLOCK, C), Expel(A, BLOCK), Complete(1)]


def test_of_three_machines_two_decide() -> None:
    rounds = joined(A="x", B="y", C="z")
    begin(rounds)
    answer(rounds, A, 1, "wrong")
    assert answer(rounds, B, 2, "right") == [Differ((A, B), BLOCK), Assign(C, 1, 3, BLOCK, True)]
    assert answer(rounds, C, 3, "right") == [Accept(BLOCK), Expel(A, BLOCK), Complete(1)]


def test_a_late_opinion_from_the_same_machine_is_not_a_second_one() -> None:
    rounds = joined(A="x", B="y")
    assert begin(rounds) == [Assign(A, 1, 1, BLOCK, True), Assign(B, 1, 2, BLOCK, True)]
    rounds.handle(Left(B), 1.0)
    assert rounds.handle(Joined(C, "x"), 1.0) == [], "A is asked, and it is on the same machine"
    assert rounds.handle(Tick(), 20.0) == [Assign(C, 1, 3, BLOCK, True)], "A is late"
    assert answer(rounds, A, 1, "right", 21.0) == [Arbitrate(BLOCK)], "what C says would be no second opinion"
    assert rounds.handle(Arbitrated(1, BLOCK, "right"), 22.0) == [Accept(BLOCK, A), Complete(1)]


def test_a_machine_that_joins_is_asked() -> None:
    rounds = joined(A="x", B="y")
    begin(rounds)
    rounds.handle(Left(B), 1.0)
    assert rounds.handle(Joined(D, "z"), 1.0) == [Assign(D, 1, 3, BLOCK, True)]
    assert answer(rounds, D, 3, "right") == []
    assert answer(rounds, A, 1, "right") == [Accept(BLOCK), Complete(1)]


def test_every_block_of_a_round_is_computed_twice_and_on_two_machines() -> None:
    rounds = joined(A="x", B="x", C="y", D="y")
    machines = {A: "x", B: "x", C: "y", D: "y"}
    asked: dict[tuple[int, int], list[bytes]] = {}
    todo, done = begin(rounds, 16), False
    while todo:
        match todo.pop(0):
            case Assign(worker, _, attempt, share, _):
                for block in sorted(_blocks(share)):
                    asked.setdefault(block, []).append(worker)
                    todo += rounds.handle(Answered(worker, 1, attempt, block, "right"), 1.0)
            case Complete():
                done = True
    assert done
    assert sum(stop - start for start, stop in asked) == 16
    assert {len(workers) for workers in asked.values()} == {2}
    assert all({machines[worker] for worker in workers} == {"x", "y"} for workers in asked.values())


def _blocks(share: tuple[int, int]) -> list[tuple[int, int]]:
    return tree.cover(*share, 16)
