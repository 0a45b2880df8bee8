"""Decides who computes what.

The scheduler knows no sockets, clocks or files: it is told what happened (an event, and the time), and returns what is
to be done (instructions). It is right because two things are kept apart. *Which sums count* is decided here once per
block and never again: `Round.missing` only shrinks, and a block leaves it with the one Accept. *Who computes a block*
does not matter for the sums, since any two workers find the same bits; so the scheduler is free to hand a block out
again whenever that may help. It gives idle workers, in this order: a share that no worker has; a block in question, on
which another opinion is wanted; a copy of a block whose worker is late. Every event ends in that one step, `_give_out`,
so that there is one place where work is found for the idle. A worker has one share at a time, and a late answer still
counts if it is the first. What a lost or late worker had is split at the tree's own halves, so that several others can
have it; an answer for the whole still counts as long as none for a piece has.

A ring of the last events is kept with their instructions. Fed to a new scheduler they give the same instructions again,
which is how a failure is looked into.
"""

from collections import deque
from dataclasses import replace
from typing import assert_never

from engine.compute.tree import Block
from engine.coordinator.rounds.assignments import Assignments
from engine.coordinator.rounds.events import (
    Accept,
    Answered,
    Arbitrate,
    Arbitrated,
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
    Resized,
    Stranded,
    Tick,
    Worker,
)
from engine.coordinator.rounds.leases import UNTRIED, Leases
from engine.coordinator.rounds.round import Round

REMEMBERED = 1000  # events
SLACK = 0.25  # of a share that relays may have more or less, if it saves them vectors

Entry = tuple[float, Event, tuple[Instruction, ...]]  # the time, what happened then, and what was to be done


class Scheduler:
    """Feed it events with `handle`, and carry out what it returns in order."""

    def __init__(self, leases: Leases = Leases()) -> None:  # noqa: B008 - it is frozen
        self._assignments = Assignments(leases)
        self._round: Round | None = None
        self._ring: deque[Entry] = deque(maxlen=REMEMBERED)

    def __len__(self) -> int:
        """Return the number of workers."""
        return len(self._assignments.workers)

    def processes(self) -> int:
        """Return how many processes compute: those of relays, and every other worker."""
        return sum(state.processes for state in self._assignments.workers.values())

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take an event at the monotonic time `now` (seconds) and return what is to be done."""
        out: list[Instruction] = []
        try:
            out = self._dispatch(event, now)
        finally:  # an event that raises is the one to look at
            self._ring.append((now, event, tuple(out)))
        return out

    def events(self) -> list[Entry]:
        """Return the last events, the newest last."""
        return list(self._ring)

    def next_deadline(self) -> float | None:
        """Return when a Tick may be needed, at the earliest; None if never."""
        return self._assignments.next_deadline()

    def expecting(self) -> bool:
        """Return whether any worker is expected to answer: has a share whose lease has not lapsed."""
        return self._assignments.expecting()

    def in_question(self, block: Block) -> bool:
        """Return whether an answer for `block` must come with its bits."""
        return self._round is not None and block in self._round.ballots

    def questioned(self) -> bool:
        """Return whether two workers must agree on any block of the round."""
        return self._round is not None and bool(self._round.ballots)

    def _dispatch(self, event: Event, now: float) -> list[Instruction]:
        match event:
            case Answered():
                return self._answered(event, now)
            case Begin():
                self._assignments.recall(event.recalled)
                self._round = Round(event)
            case Tick():
                return self._tick(now)
            case Joined(worker, machine, processes):
                self._forget(worker)
                self._assignments.join(worker, machine, processes)
            case Resized(worker, processes):
                self._assignments.resize(worker, processes)
            case Left(worker):
                self._forget(worker)
            case Stranded(worker):
                self._assignments.free(worker, self._round.number if self._round else None)
            case Arbitrated():
                return self._arbitrated(event, now)
            case _:
                assert_never(event)
        return self._give_out(now)

    def _forget(self, worker: Worker) -> None:
        task = self._assignments.forget(worker)
        if self._round:
            if task:
                self._round.give_back(worker, task, len(self._assignments.able()))
            self._round.forget(worker)

    def _answered(self, event: Answered, now: float) -> list[Instruction]:
        expected = self._assignments.expects(event.worker)
        if reason := self._assignments.strike(event, now):
            return [Ignore(event.worker, reason, event.block)]
        current = self._round
        if current is None or event.round != current.number:
            return [Ignore(event.worker, IgnoreReason.LATE, event.block), *self._give_out(now)]
        if event.block not in current.missing and not current.merge(event.block):
            if expected:  # others have computed some of its pieces, and the rest was left to it
                current.release(event.worker, [event.block], len(self._assignments.able()))
            return [Ignore(event.worker, IgnoreReason.REPEATED, event.block), *self._give_out(now)]
        if event.block in current.ballots or not event.finite:
            return self._voted(event, current, now)
        return self._count(event.block, current, now)

    def _count(self, block: Block, current: Round, now: float) -> list[Instruction]:
        """Count the sums that came with this event."""
        current.count(block)
        if current.missing:
            return [Accept(block), *self._give_out(now)]
        self._round = None
        return [Accept(block), Complete(current.number)]

    def _voted(self, event: Answered, current: Round, now: float) -> list[Instruction]:
        """Take an answer for a block in question as an opinion, which may decide."""
        block, bits, out = event.block, event.bits, list[Instruction]()
        if bits is None:
            raise ValueError(f"the answer for block {block}, which is in question, comes without its bits")
        if block not in current.ballots:
            current.put_in_question(block, self._assignments.holders(block, current.number))
        if not event.finite:
            out.append(Ignore(event.worker, IgnoreReason.NOT_FINITE, block))
        ballot = current.ballots[block]
        if current.vote(event.worker, block, bits):
            return out + self._decided(block, bits, current, now)
        if ballot.against(bits):
            out.append(Differ(tuple(ballot.votes), block))
        return out + self._give_out(now)

    def _arbitrated(self, event: Arbitrated, now: float) -> list[Instruction]:
        current = self._round
        if current is None or event.round != current.number or event.block not in current.ballots:
            return []
        found = current.ballots[event.block].supporter(event.bits)
        accept, *rest = self._decided(event.block, event.bits, current, now)
        return [replace(accept, found=found) if isinstance(accept, Accept) else accept, *rest]

    def _decided(self, block: Block, bits: str, current: Round, now: float) -> list[Instruction]:
        """Count the sums that came with this event, and expel the workers that sent other bits."""
        wrong = current.ballots[block].against(bits)
        for worker in wrong:
            self._forget(worker)
        accept, *rest = self._count(block, current, now)
        return [accept, *(Expel(worker, block) for worker in wrong), *rest]

    def _tick(self, now: float) -> list[Instruction]:
        late, lapsed = self._assignments.overdue(now)
        if self._round:
            for worker, task in late:
                self._round.expect_no_opinion(worker, task)
            for worker, task in lapsed:
                self._round.give_back(worker, task, len(self._assignments.able()))
        return [*(Lapsed(worker, tuple(task.blocks)) for worker, task in lapsed), *self._give_out(now)]

    def _give_out(self, now: float) -> list[Instruction]:
        """Give idle workers what there is to do."""
        current, assignments = self._round, self._assignments
        if current is None:
            return []
        out: list[Instruction] = []
        if not current.planned and assignments.idle:
            self._plan(current)
        if assignments.idle and (current.waiting or current.wanting or assignments.late):
            for worker in list(assignments.idle):
                blocks = (
                    current.take()
                    or current.question(worker)
                    or current.copy(assignments.late_tasks(), len(assignments.idle))
                )
                if blocks:
                    out.append(assignments.assign(worker, current, blocks, now))
                    current.ask(worker, blocks)
                elif not current.wanting:
                    break  # there is nothing for any worker
        if current.wanting:
            out += [Arbitrate(block) for block in current.undecidable(assignments.able())]
        return out

    def _plan(self, current: Round) -> None:
        """Cut the round into shares, proportional to the speeds of the idle, and put these in the order of the shares.

        Relays come first, and among them and the others the fastest, so that those that get nothing, being too slow for
        a whole micro-batch, are the last.
        """
        if self._assignments.on_several_machines():
            current.voter = self._assignments.machine
        speeds, all_known = self._assignments.speeds()
        cap = current.cap if all_known else min(current.cap, UNTRIED)
        relays = self._assignments.idle_relays()
        vector = self._assignments.vector_time(current.stop - current.start)
        shares = current.cut(speeds, cap * self._assignments.least_processes(), relays, SLACK, vector)
        self._assignments.pass_over(shares)
