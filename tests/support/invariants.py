"""What must be true of the scheduler after every event."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from engine.compute import tree
from engine.compute.tree import Block
from engine.coordinator.rounds.assignments import Assignments
from engine.coordinator.rounds.events import Worker
from engine.coordinator.rounds.round import Round
from engine.coordinator.rounds.voting import AGREE, Ballot
from engine.coordinator.rounds.worker import Task


def broken(assignments: Assignments, current: Round | None) -> Iterator[str]:
    """Yield every invariant that does not hold, in words."""
    tasks = {worker: state.task for worker, state in assignments.workers.items() if state.task}
    yield from _workers(assignments, tasks)
    for worker, task in tasks.items():
        yield from _task(worker, task, assignments)
    if current and current.planned:
        yield from _blocks(current)
        yield from _places(current, {w: task for w, task in tasks.items() if task.round == current.number})
        for block, ballot in current.ballots.items():
            yield from _ballot(block, ballot, current, assignments, tasks)
        if assignments.idle and any(not current.missing.isdisjoint(share) for share in current.waiting):
            yield "workers are idle though a share waits"
    elif current:
        if current.missing or current.waiting or current.ballots:
            yield "a round that is not planned has blocks"
        if assignments.idle:
            yield "workers are idle though the round is not planned"


def _workers(assignments: Assignments, tasks: dict[Worker, Task]) -> Iterator[str]:
    if assignments.idle.keys() != assignments.workers.keys() - tasks.keys():
        yield "the idle are not those without a task"
    if assignments.late.keys() != {worker for worker, task in tasks.items() if task.late}:
        yield "the late are not those whose task is late"
    dues = [due for task in tasks.values() if (due := task.due()) is not None]
    if dues and assignments.due > min(dues):
        yield f"the next deadline is {assignments.due}, though a task is due at {min(dues)}"
    attempts = [task.attempt for state in assignments.workers.values() for task in state.given]
    if len(attempts) != len(set(attempts)) or any(attempt > assignments.attempts for attempt in attempts):
        yield "an attempt has two owners, or was never made"


def _task(worker: Worker, task: Task, assignments: Assignments) -> Iterator[str]:
    state = assignments.workers[worker]
    if not task.blocks or len(task.blocks) != len(set(task.blocks)):
        yield f"the task of {worker!r} has no blocks, or one twice"
    if any(not task.share[0] <= start < stop <= task.share[1] for start, stop in task.blocks):
        yield f"a block of {worker!r} is not in its share"
    if state.given[-1] is not task:
        yield f"the task of {worker!r} is not the last that it was given"
    if task.lapsed and not task.late:
        yield f"the task of {worker!r} has lapsed, but is not late"


def _blocks(current: Round) -> Iterator[str]:
    if not current.missing:
        yield "the round has no missing block and is not complete"
    if any(not tree.is_block(block, current.total) for block in current.missing):
        yield "a missing block is no node of the tree"
    missing = sorted(current.missing)
    if any(a[1] > b[0] for a, b in pairwise(missing)):
        yield "missing blocks overlap"
    if current.counted + sum(stop - start for start, stop in missing) != current.stop - current.start:
        yield "counted and missing micro-batches are not those of the round"
    if not current.ballots.keys() <= current.missing:
        yield "a block in question has been counted"
    if current.wanting.keys() != {block for block, ballot in current.ballots.items() if ballot.wanted() > 0}:
        yield "the blocks on which another opinion is wanted are others"


def _places(current: Round, tasks: dict[Worker, Task]) -> Iterator[str]:
    """Check that every missing block is where it may be.

    It waits, and no worker has it; or one worker has it, besides as many as copies are counted. A task whose lease has
    lapsed does not count. Of a block in question only the first share waits.
    """
    waiting = Counter(block for share in current.waiting for block in share)
    working = [task for task in tasks.values() if not task.lapsed]
    if any(waiting[block] > 1 for block in current.ballots):
        yield "a block in question waits twice"
    for block in current.missing - current.ballots.keys():
        holders = sum(task.has(block) for task in working)
        waits, copies = waiting[block], current.copies.get(block, 0)
        if (waits, holders, copies) != (1, 0, 0) and (waits, holders) != (0, 1 + copies):
            yield f"block {block} waits {waits} times, is held by {holders} and has {copies} copies"


def _ballot(
    block: Block, ballot: Ballot, current: Round, assignments: Assignments, tasks: dict[Worker, Task]
) -> Iterator[str]:
    expected = {w for w, task in tasks.items() if task.round == current.number and block in task.blocks}
    if ballot.asked != {worker for worker in expected if not tasks[worker].late}:
        yield f"those asked about block {block} are not those who have it in time"
    if not ballot.votes.keys() <= assignments.workers.keys():
        yield f"a worker that has left has a vote on block {block}"
    if ballot.votes.keys() & expected:
        yield f"a worker that has voted on block {block} is asked again"
    if any(ballot.agreed(bits) >= AGREE for bits in ballot.votes.values()):
        yield f"block {block} is decided, but not counted"
    if block in current.copies:
        yield f"block {block} is in question and has copies"
