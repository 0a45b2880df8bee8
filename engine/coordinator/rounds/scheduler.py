"""The state machine of a round."""

import math

from engine.compute.tree import Block
from engine.coordinator.rounds.events import (
    Accept,
    Answered,
    Arbitrate,
    Arbitrated,
    Assign,
    Begin,
    Complete,
    Differ,
    Event,
    Expel,
    Ignore,
    IgnoreReason,
    Instruction,
    Joined,
    Lapsed,
    Left,
    Tick,
    Worker,
)
from engine.coordinator.rounds.leases import Leases
from engine.coordinator.rounds.round import Round
from engine.coordinator.rounds.worker import Task, WorkerState

UNTRIED = 32  # micro-batches in a share while a speed is unknown: answers come, and speeds, before a first lease lapses


class Scheduler:
    """The state machine. Feed it events with `handle`, carry out what it returns in order."""

    def __init__(self, leases: Leases = Leases()) -> None:  # noqa: B008 - it is frozen
        self._leases = leases
        self._members: dict[Worker, WorkerState] = {}
        self._idle: dict[Worker, None] = {}  # those without a share, in order
        self._late: dict[Worker, None] = {}
        self._round: Round | None = None
        self._attempts = 0
        self._due = math.inf  # nothing has to be done before, unless something happens

    def __len__(self) -> int:
        return len(self._members)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take an event at the monotonic time `now` (seconds) and return what is to be done."""
        match event:
            case Answered():
                return self._answered(event, now)
            case Begin():
                self._round = Round(event)
                return self._go_on(now)
            case Tick():
                return self._tick(now)
            case Joined(worker):
                self._forget(worker)
                self._members[worker] = WorkerState()
                self._idle[worker] = None
                return self._go_on(now)
            case Left(worker):
                self._forget(worker)
                return self._go_on(now)
            case Arbitrated():
                return self._judged(event, now)

    def next_deadline(self) -> float | None:
        """Return when a Tick may be needed, at the earliest; None if nothing is to be waited for."""
        return None if self._due == math.inf else self._due

    def expecting(self) -> bool:
        """Tell whether anybody is expected to answer: has a share, and a lease that has not lapsed."""
        return any(member.task and not member.task.lapsed for member in self._members.values())

    def in_question(self, block: Block) -> bool:
        """Tell whether an answer for `block` must come with its bits."""
        return self._round is not None and block in self._round.ballots

    def _forget(self, worker: Worker) -> None:
        member = self._members.pop(worker, None)
        self._idle.pop(worker, None)
        self._late.pop(worker, None)
        if member and self._round:
            if member.task and not member.task.lapsed:
                self._round.give_back(worker, member.task)
            self._round.forget(worker)

    def _answered(self, event: Answered, now: float) -> list[Instruction]:
        member = self._members.get(event.worker)
        if member is None:
            return [Ignore(event.worker, IgnoreReason.UNASKED, event.block)]
        task = member.task
        asked = task and (task.round, task.attempt) == (event.round, event.attempt) and event.block in task.blocks
        if task is None or not asked:
            doubled = member.was_asked(event.round, event.attempt, event.block)
            return [Ignore(event.worker, IgnoreReason.DOUBLED if doubled else IgnoreReason.UNASKED, event.block)]
        task.blocks.remove(event.block)
        if not task.blocks:
            member.learn_speed(task, now)
            member.task = None
            self._idle[event.worker] = None
            self._late.pop(event.worker, None)
        current = self._round
        if current is None or event.round != current.number:
            return [Ignore(event.worker, IgnoreReason.LATE, event.block), *self._go_on(now)]
        if event.block not in current.missing:
            return [Ignore(event.worker, IgnoreReason.REPEATED, event.block), *self._go_on(now)]
        if event.block in current.ballots or not event.finite:
            return self._voted(event, current, now)
        return self._count(event.block, current, now)

    def _count(self, block: Block, current: Round, now: float) -> list[Instruction]:
        """Count the sums that came with this event."""
        current.count(block)
        if current.missing:
            return [Accept(block), *self._go_on(now)]
        self._round = None
        return [Accept(block), Complete(current.number)]

    def _voted(self, event: Answered, current: Round, now: float) -> list[Instruction]:
        """Take an answer for a block in question as an opinion, which may decide."""
        block, bits, out = event.block, event.bits, list[Instruction]()
        if bits is None:
            raise ValueError(f"the answer for block {block}, which is in question, comes without its bits")
        if block not in current.ballots:
            current.put_in_question(block, self._holders(block, current))
        if not event.finite:
            out.append(Ignore(event.worker, IgnoreReason.NOT_FINITE, block))
        ballot = current.ballots[block]
        if ballot.vote(event.worker, bits):
            return out + self._decided(block, bits, current, now)
        if ballot.against(bits):
            out.append(Differ(tuple(ballot.votes), block))
        return out + self._go_on(now)

    def _holders(self, block: Block, current: Round) -> set[Worker]:
        """Return who is expected to answer `block` in time."""
        tasks = {w: m.task for w, m in self._members.items() if m.task and m.task.round == current.number}
        return {w for w, task in tasks.items() if block in task.blocks and not task.late and not task.lapsed}

    def _judged(self, event: Arbitrated, now: float) -> list[Instruction]:
        current = self._round
        if current is None or event.round != current.number or event.block not in current.ballots:
            return []
        return self._decided(event.block, event.bits, current, now)

    def _decided(self, block: Block, bits: str, current: Round, now: float) -> list[Instruction]:
        """Count the sums that came with this event, and part from those who sent other bits."""
        liars = current.ballots[block].against(bits)
        for worker in liars:
            self._forget(worker)
        accept, *rest = self._count(block, current, now)
        return [accept, *(Expel(worker, block) for worker in liars), *rest]

    def _tick(self, now: float) -> list[Instruction]:
        out: list[Instruction] = []
        for worker, member in self._members.items():
            task = member.task
            if task is None:
                continue
            if not task.late and now >= task.late_at:
                task.late = True
                self._late[worker] = None
                if self._round:
                    self._round.expect_no_opinion(worker, task)
            if not task.lapsed and now >= task.deadline:
                task.lapsed = True
                out.append(Lapsed(worker, tuple(task.blocks)))
                if self._round:
                    self._round.give_back(worker, task)
        dues = (member.task.due() for member in self._members.values() if member.task)
        self._due = min((due for due in dues if due is not None), default=math.inf)
        return out + self._go_on(now)

    def _go_on(self, now: float) -> list[Instruction]:
        """Give idle workers whatever there is to do."""
        current = self._round
        if current is None:
            return []
        out: list[Instruction] = []
        if not current.planned and self._idle:
            self._plan(current)
        if self._idle and (current.waiting or current.ballots or self._late):
            for worker in list(self._idle):
                blocks = current.take() or current.question(worker) or current.copy(self._late_tasks())
                if blocks:
                    out.append(self._assign(worker, current, blocks, now))
                elif not current.ballots:
                    break  # there is nothing for anybody
        if current.ballots:
            out += self._undecidable(current)
        return out

    def _plan(self, current: Round) -> None:
        """Cut the round into shares, proportional to the speeds of the idle, and put these in the order of the shares.

        The fastest come first, so that those who get nothing, being too slow for a whole micro-batch, are the last.
        """
        known = [speed for w in self._idle if (speed := self._members[w].speed) is not None]
        usual = sum(known) / len(known) if known else 1.0
        order = sorted(self._idle, key=lambda w: -(self._members[w].speed or usual))
        cap = current.cap if len(known) == len(order) else min(current.cap, UNTRIED)
        shares = current.cut([self._members[w].speed or usual for w in order], cap)
        for worker, (start, stop) in zip(order, shares, strict=True):
            self._members[worker].pass_over(start == stop)
        self._idle = dict.fromkeys(order)

    def _late_tasks(self) -> list[Task]:
        return [task for worker in self._late if (task := self._members[worker].task)]

    def _assign(self, worker: Worker, current: Round, blocks: list[Block], now: float) -> Assign:
        member = self._members[worker]
        self._attempts += 1
        share = (blocks[0][0], blocks[-1][1])
        late, lease = self._leases.limits(share[1] - share[0], member.speed)
        task = Task(current.number, self._attempts, share, list(blocks), now, now + late, now + lease)
        member.task = task
        member.given.append(task)
        del self._idle[worker]
        current.ask(worker, blocks)
        self._due = min(self._due, task.late_at)
        fresh = member.version != current.version
        member.version = current.version
        return Assign(worker, current.number, self._attempts, share, fresh)

    def _undecidable(self, current: Round) -> list[Instruction]:
        """Return what the coordinator must compute, because there is no worker left whose opinion could be had."""
        out: list[Instruction] = []
        able = [w for w, m in self._members.items() if not (m.task and m.task.late)]
        for block, ballot in current.ballots.items():
            if ballot.votes and ballot.wanted() > 0 and not any(ballot.may_ask(worker) for worker in able):
                ballot.judging = True
                out.append(Arbitrate(block))
        return out
