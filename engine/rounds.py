"""Who computes what: a state machine that sees events and gives instructions, without sockets, clocks or files.

A *round* is all that happens for one batch (or one validation). Its micro-batches are cut into shares, a share into
blocks; every block is counted exactly once, by the first answer that comes. Blocks of a worker that is gone, or whose
lease has lapsed, are handed out again. Because sums are exact, it never matters who computes a block, or how often.

    event                            instructions
    Joined, Left, Begin       ->     Assign ...
    Tick                      ->     Lapsed ..., then Assign ...
    Answered                  ->     Accept | Ignore, then Assign ... or Complete
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine import plan
from engine.plan import Block

Worker = bytes  # a peer's identity on the transport

FIRST_LEASE = 60.0  # seconds, for a worker whose speed is not known yet
LEAST_LEASE = 5.0  # seconds
MOST_LEASE = 3600.0  # seconds; however slow a worker was, one that hangs is noticed
LEASE_FACTOR = 20.0  # times the expected duration
SMOOTHING = 0.2  # weight of the newest speed in its moving average
FORGET = 100  # rounds in a row without a share, after which a worker's speed counts as unknown


@dataclass(frozen=True)
class Joined:
    """A worker is ready for work."""

    worker: Worker


@dataclass(frozen=True)
class Left:
    """A worker is gone, for whatever reason."""

    worker: Worker


@dataclass(frozen=True)
class Begin:
    """A round of `total` micro-batches begins, with parameters `version`; shares have at most `cap` micro-batches."""

    round: int
    total: int
    version: int
    cap: int


@dataclass(frozen=True)
class Answered:
    """A worker sent the sums of a block."""

    worker: Worker
    round: int
    attempt: int
    block: Block


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Joined | Left | Begin | Answered | Tick


@dataclass(frozen=True)
class Assign:
    """Send a worker the share [start, stop), with the parameters if it does not hold this version."""

    worker: Worker
    round: int
    attempt: int
    share: Block
    with_parameters: bool


@dataclass(frozen=True)
class Accept:
    """Count the answer: it is the first for its block."""

    block: Block


@dataclass(frozen=True)
class Ignore:
    """Do not use the answer; `reason` is for the records."""

    worker: Worker
    reason: str


@dataclass(frozen=True)
class Lapsed:
    """A worker's lease has run out; its blocks are handed out again. For the records."""

    worker: Worker
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Complete:
    """Every micro-batch of the round has been counted exactly once."""

    round: int


Instruction = Assign | Accept | Ignore | Lapsed | Complete


@dataclass
class _Task:
    """A share in a worker's hands."""

    round: int
    attempt: int
    blocks: list[Block]  # not answered yet
    size: int  # micro-batches
    began: float
    deadline: float
    lapsed: bool = False


@dataclass
class _Member:
    """A worker as the round sees it. `speed` in micro-batches a second, 0 while unknown.

    `warm`: it has finished a share; the first is slow, whatever the worker. `passed_over`: rounds in a row without one.
    """

    speed: float = 0.0
    version: int = -1
    task: _Task | None = None
    warm: bool = False
    passed_over: int = 0


@dataclass
class _Round:
    number: int
    total: int
    version: int
    cap: int
    planned: bool = False
    waiting: deque[list[Block]] = field(default_factory=deque)  # shares that nobody has, as runs of blocks
    missing: set[Block] = field(default_factory=set)  # blocks without an answer


class Rounds:
    """The state machine. Feed it events with `handle`, carry out what it returns in order."""

    def __init__(self) -> None:
        self._members: dict[Worker, _Member] = {}
        self._round: _Round | None = None
        self._attempts = 0

    @property
    def members(self) -> list[Worker]:
        """The workers at hand."""
        return list(self._members)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take an event at the monotonic time `now` (seconds) and return what is to be done."""
        match event:
            case Joined(worker):
                self._forget(worker)
                self._members[worker] = _Member()
                return self._hand_out(now)
            case Left(worker):
                self._forget(worker)
                return self._hand_out(now)
            case Begin():
                self._round = _Round(event.round, event.total, event.version, event.cap)
                return self._hand_out(now)
            case Answered():
                return self._answered(event, now)
            case Tick():
                return self._tick(now)

    def next_deadline(self) -> float | None:
        """Return when the next lease lapses, None if there is none."""
        deadlines = [m.task.deadline for m in self._members.values() if m.task and not m.task.lapsed]
        return min(deadlines, default=None)

    def _forget(self, worker: Worker) -> None:
        member = self._members.pop(worker, None)
        if member and member.task and not member.task.lapsed:
            self._give_back(member.task)

    def _answered(self, event: Answered, now: float) -> list[Instruction]:
        member = self._members.get(event.worker)
        task = member.task if member else None
        asked = (task.round, task.attempt) if task else None
        if member is None or task is None or asked != (event.round, event.attempt) or event.block not in task.blocks:
            return [Ignore(event.worker, f"answer to nothing that was asked: block {event.block}")]
        task.blocks.remove(event.block)
        if not task.blocks:
            self._learn_speed(member, task, now)
            member.task = None
        current = self._round
        if current is None or event.round != current.number or event.block not in current.missing:
            return [Ignore(event.worker, f"late answer: block {event.block} was counted"), *self._hand_out(now)]
        current.missing.remove(event.block)
        if current.missing:
            return [Accept(event.block), *self._hand_out(now)]
        self._round = None
        return [Accept(event.block), Complete(current.number)]

    def _tick(self, now: float) -> list[Instruction]:
        out: list[Instruction] = []
        for worker, member in self._members.items():
            task = member.task
            if task and not task.lapsed and now >= task.deadline:
                task.lapsed = True
                out.append(Lapsed(worker, tuple(task.blocks)))
                self._give_back(task)
        return out + self._hand_out(now)

    def _give_back(self, task: _Task) -> None:
        """Put the blocks of `task` that are without an answer back among the shares to hand out."""
        current = self._round
        if current is not None and task.round == current.number:
            blocks = [block for block in task.blocks if block in current.missing]
            current.waiting.extendleft(reversed(_runs(blocks)))

    def _hand_out(self, now: float) -> list[Instruction]:
        """Give every idle worker a share, as long as there are any."""
        current = self._round
        idle = [worker for worker, member in self._members.items() if member.task is None]
        if current is None or not idle:
            return []
        if not current.planned:
            idle = self._cut(current, idle)
        out: list[Instruction] = []
        for worker in idle:
            while current.waiting and not (current.missing & set(current.waiting[0])):
                current.waiting.popleft()  # answered meanwhile by a worker whose lease had lapsed
            if not current.waiting:
                break
            out.append(self._assign(worker, current, current.waiting.popleft(), now))
        return out

    def _cut(self, current: _Round, idle: list[Worker]) -> list[Worker]:
        """Cut the round into shares, proportional to the speeds of `idle`, and return these in the order of the shares.

        The fastest come first, so that those who get nothing, being too slow for a whole micro-batch, are the last.
        """
        known = [m.speed for w in idle if (m := self._members[w]).speed]
        usual = sum(known) / len(known) if known else 1.0
        speeds = {w: self._members[w].speed or usual for w in idle}
        order = sorted(idle, key=lambda w: -speeds[w])
        for worker, (start, stop) in zip(order, plan.shares(current.total, [speeds[w] for w in order]), strict=True):
            self._pass_over(self._members[worker], start == stop)
            for low in range(start, stop, current.cap):
                current.waiting.append(plan.cover(low, min(low + current.cap, stop), current.total))
        current.missing = {block for share in current.waiting for block in share}
        current.planned = True
        return order

    def _pass_over(self, member: _Member, empty: bool) -> None:
        """Take note whether a worker's share is empty: one that was slow long ago is given another chance."""
        member.passed_over = member.passed_over + 1 if empty else 0
        if member.passed_over >= FORGET:
            member.speed, member.passed_over = 0.0, 0

    def _assign(self, worker: Worker, current: _Round, blocks: list[Block], now: float) -> Assign:
        member = self._members[worker]
        self._attempts += 1
        share = (blocks[0][0], blocks[-1][1])
        size = share[1] - share[0]
        lease = LEASE_FACTOR * size / member.speed if member.speed else FIRST_LEASE
        lease = min(max(lease, LEAST_LEASE), MOST_LEASE)
        member.task = _Task(current.number, self._attempts, list(blocks), size, now, now + lease)
        fresh = member.version != current.version
        member.version = current.version
        return Assign(worker, current.number, self._attempts, share, fresh)

    def _learn_speed(self, member: _Member, task: _Task, now: float) -> None:
        """Learn from a finished share how fast a worker is; not from its first, in which it warms up."""
        speed = task.size / max(now - task.began, 1e-6)
        if member.warm:
            member.speed += (speed - member.speed) * (SMOOTHING if member.speed else 1.0)
        member.warm = True


def _runs(blocks: Iterable[Block]) -> list[list[Block]]:
    """Group blocks into contiguous runs, so that each can be told as one range."""
    runs: list[list[Block]] = []
    for block in sorted(blocks):
        if runs and runs[-1][-1][1] == block[0]:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs
