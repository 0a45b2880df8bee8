"""The invariants hold of a scheduler at work, and each is found broken when it is."""

from collections.abc import Callable

import pytest

from engine.coordinator.rounds import Assign, Audit, Begin, Leases
from engine.coordinator.rounds.assignments import Assignments
from engine.coordinator.rounds.round import Round
from engine.coordinator.rounds.voting import Ballot
from engine.coordinator.rounds.worker import Task
from tests.support.invariants import broken

A, B, C = b"A", b"B", b"C"


class Scene:
    """A has (0, 2) and (2, 3) of a round of seven micro-batches, B has (3, 4), and (4, 7) waits.

    Block (3, 4) is in question.
    """

    def __init__(self) -> None:
        self.assignments = Assignments(Leases())
        self.round = Round(Begin(1, 7, 1, 4, Audit(0.0, 1, 1)))
        for worker in (A, B):
            self.assignments.join(worker)
        self.round.cut([3.0, 4.0], 4)
        self.round.put_in_question((3, 4), set())
        for worker, blocks in ((A, self.round.take()), (B, [(3, 4)])):
            self.assignments.assign(worker, self.round, blocks, 0.0)
            self.round.ask(worker, blocks)

    def broken(self) -> list[str]:
        return list(broken(self.assignments, self.round))


def task_of(scene: Scene, worker: bytes) -> Task:
    task = scene.assignments.workers[worker].task
    assert task
    return task


def test_the_scene_is_sound() -> None:
    scene = Scene()
    assert scene.broken() == []
    assert [list(share) for share in scene.round.waiting] == [[(4, 7)]]
    assert scene.round.ballots[3, 4].asked == {B}


def another_attempt(scene: Scene) -> Assign:
    scene.assignments.join(C)
    scene.assignments.attempts = 0
    return scene.assignments.assign(C, scene.round, scene.round.take(), 0.0)


BREAKS: dict[str, Callable[[Scene], object]] = {
    "the idle are not those without a task": lambda s: s.assignments.idle.update({A: None}),
    "the late are not those whose task is late": lambda s: s.assignments.late.update({A: None}),
    "the next deadline is inf, though a task is due": lambda s: setattr(s.assignments, "due", float("inf")),
    "an attempt has two owners": another_attempt,
    "is not in its share": lambda s: task_of(s, A).blocks.append((4, 7)),
    "is not the last that it was given": lambda s: s.assignments.workers[A].given.append(task_of(s, B)),
    "has lapsed, but is not late": lambda s: setattr(task_of(s, A), "lapsed", True),
    "block (0, 2) waits 0 times, is held by 0 and has 0 copies": lambda s: task_of(s, A).blocks.remove((0, 2)),
    "block (4, 7) waits 1 times, is held by 1 and has 0 copies": lambda s: task_of(s, A).blocks.append((4, 7)),
    "block (0, 2) waits 0 times, is held by 1 and has 1 copies": lambda s: s.round.copies.update({(0, 2): 1}),
    "block (4, 7) waits 0 times, is held by 0": lambda s: s.round.waiting.clear(),
    "a block in question waits twice": lambda s: s.round.waiting.extend([[(3, 4)], [(3, 4)]]),
    "counted and missing micro-batches are not those of the round": lambda s: s.round.missing.remove((0, 2)),
    "missing blocks overlap": lambda s: s.round.missing.add((0, 1)),
    "is no node of the tree": lambda s: s.round.missing.add((1, 3)),
    "the round has no missing block": lambda s: s.round.missing.clear(),
    "the blocks on which another opinion is wanted are others": lambda s: s.round.wanting.clear(),
    "a block in question has been counted": lambda s: s.round.ballots.update({(0, 1): Ballot()}),
    "those asked about block (3, 4) are not those who have it": lambda s: s.round.ballots[3, 4].asked.add(A),
    "a worker that has left has a vote": lambda s: s.round.ballots[3, 4].votes.update({C: "bits"}),
    "is asked again": lambda s: s.round.ballots[3, 4].votes.update({B: "bits"}),
    "is decided, but not counted": lambda s: s.round.ballots[3, 4].votes.update({A: "bits", C: "bits"}),
    "is in question and has copies": lambda s: s.round.copies.update({(3, 4): 1}),
    "workers are idle though a share waits": lambda s: s.assignments.join(C),
}


@pytest.mark.parametrize("words", BREAKS)
def test_what_is_broken_is_found(words: str) -> None:
    scene = Scene()
    BREAKS[words](scene)
    assert any(words in found for found in scene.broken()), scene.broken()


def test_a_round_that_is_not_planned_has_nothing_and_waits_for_workers() -> None:
    assignments, new = Assignments(Leases()), Round(Begin(1, 7, 1, 4))
    assert list(broken(assignments, new)) == []
    new.missing.add((0, 4))
    assert list(broken(assignments, new)) == ["a round that is not planned has blocks"]
    new.missing.clear()
    assignments.join(A)
    assert list(broken(assignments, new)) == ["workers are idle though the round is not planned"]
