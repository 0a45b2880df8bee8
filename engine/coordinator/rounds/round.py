"""The blocks of one round: which are missing, which wait for a worker, which were copied, which are in question."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable

from engine.compute import tree
from engine.compute.tree import Block
from engine.coordinator.rounds.events import Begin, Worker
from engine.coordinator.rounds.shares import VECTOR, shares_with_relays
from engine.coordinator.rounds.voting import Ballot, itself
from engine.coordinator.rounds.worker import Task


class Round:
    """Where each block of the round that `begin` describes is."""

    def __init__(self, begin: Begin) -> None:
        self.number = begin.round
        self.total = begin.total
        self.version = begin.version
        self.cap = begin.cap
        self.planned = False
        self.counted = 0  # micro-batches
        self.missing: set[Block] = set()  # blocks that are not counted yet
        self.waiting: deque[list[Block]] = deque()  # shares that no worker has, as runs of blocks
        self.ballots: dict[Block, Ballot] = {}  # blocks in question
        self.wanting: dict[Block, None] = {}  # those on which another opinion is wanted, so that few are looked at
        self.copies: dict[Block, int] = {}  # how many have a block besides the one whose share it is in
        self.voter: Callable[[Worker], Hashable] = itself  # as in `Ballot`
        self._audit = begin.audit
        self.start, self.stop = begin.part or (0, begin.total)  # of it is to be computed

    def cut(
        self, speeds: list[float], cap: int, relays: int = 0, slack: float = 0.0, vector: float = VECTOR
    ) -> list[Block]:
        """Return shares of the round proportional to `speeds`; they wait in pieces of at most `cap` micro-batches.

        `relays`, `slack`, `vector`: as in `shares_with_relays`.
        """
        cut = shares_with_relays((self.start, self.stop), self.total, speeds, relays, slack, vector)
        for start, stop in cut:
            for low in range(start, stop, cap):
                self.waiting.append(tree.cover(low, min(low + cap, stop), self.total))
        self.missing = {block for share in self.waiting for block in share}
        if self._audit:
            self.ballots = {block: Ballot(self.voter) for block in sorted(self.missing) if self._audit.chooses(block)}
            self.wanting = dict.fromkeys(self.ballots)
        self.planned = True
        return cut

    def take(self) -> list[Block]:
        """Return the next share that waits for a worker; empty if there is none."""
        while self.waiting:
            share = self.waiting.popleft()
            if not self.missing.isdisjoint(share):
                return share  # otherwise a worker whose lease had lapsed has answered it
        return []

    def question(self, worker: Worker) -> list[Block]:
        """Return a block in question that `worker` can give another opinion on; empty if there is none."""
        return next(([block] for block in self.wanting if self.ballots[block].may_ask(worker)), [])

    def vote(self, worker: Worker, block: Block, bits: str) -> bool:
        """Add the opinion of a worker; return whether it decides."""
        decided = self.ballots[block].vote(worker, bits)
        self._reconsider(block)
        return decided

    def undecidable(self, able: list[Worker]) -> list[Block]:
        """Return the blocks that the coordinator must compute: none of the `able` has an opinion that would be new."""
        found = [
            block
            for block in self.wanting
            if (ballot := self.ballots[block]).votes and not any(ballot.may_ask(worker) for worker in able)
        ]
        for block in found:
            self.ballots[block].arbitrated = True
            self._reconsider(block)
        return found

    def _reconsider(self, block: Block) -> None:
        """Bring `wanting` up to date for a block in question."""
        if self.ballots[block].wanted() > 0:
            self.wanting[block] = None
        else:
            self.wanting.pop(block, None)

    def copy(self, late: Iterable[Task], idle: int) -> list[Block]:
        """Return the block to be expected last of those that only late workers have; empty if there is none.

        A worker computes the blocks of its share in order, so its last one is copied first; in pieces, if several
        workers are `idle`.
        """
        tasks = [task for task in late if task.round == self.number and not task.lapsed]
        for task in sorted(tasks, key=lambda task: -task.late_at):
            for block in reversed(task.blocks):
                if block in self.missing and block not in self.ballots and block not in self.copies:
                    self._split([block], idle)
                for part in reversed(self.parts(block)):
                    copies = self.copies.get(part, 0)
                    if part not in self.ballots and copies < sum(task.has(part) for task in tasks):
                        self.copies[part] = copies + 1
                        return [part]
        return []

    def parts(self, block: Block) -> list[Block]:
        """Return the missing blocks that are in `block`: itself, or those that are left of its pieces."""
        if block in self.missing:
            return [block]
        return sorted(part for part in self.missing if block[0] <= part[0] and part[1] <= block[1])

    def _split(self, blocks: list[Block], pieces: int) -> list[Block]:
        """Split missing blocks at the tree's own halves until there are enough, and return them in order."""
        found = list(blocks)
        while 0 < len(found) < pieces:
            block = max(found, key=lambda block: block[1] - block[0])
            if block[1] - block[0] == 1:
                break
            middle = tree.middle(*block)
            halves = [(block[0], middle), (middle, block[1])]
            found.remove(block)
            found += halves
            self.missing.remove(block)
            self.missing.update(halves)
        return sorted(found)

    def merge(self, block: Block) -> bool:
        """Undo that `block` was split, if nothing of it has been counted or is in question; return whether it was."""
        parts = self.parts(block)
        if sum(stop - start for start, stop in parts) < block[1] - block[0] or not self.ballots.keys().isdisjoint(
            parts
        ):
            return False
        self.missing.difference_update(parts)
        self.missing.add(block)
        for part in parts:
            self.copies.pop(part, None)
        self._keep_waiting(lambda waiting: waiting not in parts)
        return True

    def _keep_waiting(self, wanted: Callable[[Block], bool]) -> None:
        """Let only those of the waiting blocks wait that are `wanted`."""
        self.waiting = deque(run for share in self.waiting for run in self._runs(filter(wanted, share)))

    def ask(self, worker: Worker, blocks: Iterable[Block]) -> None:
        """Expect an opinion of `worker` on those of `blocks` that are in question."""
        for block in blocks if self.ballots else ():
            if block in self.ballots:
                self.ballots[block].asked.add(worker)
                self._reconsider(block)

    def expect_no_opinion(self, worker: Worker, task: Task) -> None:
        """Let others be asked about blocks in question that `worker`, which is late, has."""
        for block in task.blocks if task.round == self.number else ():
            if block in self.ballots:
                self._ask_no_more(worker, block)

    def give_back(self, worker: Worker, task: Task, others: int) -> None:
        """Let `others`, of whom there are so many, have the missing blocks of `task`, unless one of them has a copy."""
        if task.round == self.number:
            self.release(worker, task.blocks, others)

    def release(self, worker: Worker, blocks: Iterable[Block], others: int) -> None:
        """Let `others` have what is missing of `blocks`, which `worker` has no longer."""
        again = []
        for part in [part for block in blocks for part in self.parts(block)]:
            if part in self.ballots:
                self._ask_no_more(worker, part)  # so that others will be asked
            elif self.copies.get(part):
                self.copies[part] -= 1
            else:
                again.append(part)
        pieces = self._split(again, others)
        shares = [[piece] for piece in pieces] if len(pieces) <= others else self._runs(pieces)
        self.waiting.extendleft(reversed(shares))

    def put_in_question(self, block: Block, asked: set[Worker]) -> None:
        """Require that two workers agree on `block`, which those in `asked` have."""
        self.copies.pop(block, None)
        self.ballots[block] = Ballot(self.voter, asked=asked)
        self._reconsider(block)
        self._keep_waiting(lambda waiting: waiting != block)

    def forget(self, worker: Worker) -> None:
        """Drop the opinions of a worker that has left: it might come back as another."""
        for block, ballot in self.ballots.items():
            if worker in ballot.votes or worker in ballot.asked:
                ballot.votes.pop(worker, None)
                self._ask_no_more(worker, block)

    def _ask_no_more(self, worker: Worker, block: Block) -> None:
        self.ballots[block].asked.discard(worker)
        self._reconsider(block)

    def count(self, block: Block) -> None:
        """Strike off a block whose sums are counted."""
        self.missing.remove(block)
        self.ballots.pop(block, None)
        self.wanting.pop(block, None)
        self.counted += block[1] - block[0]

    def _runs(self, blocks: Iterable[Block]) -> list[list[Block]]:
        """Group blocks into runs, each of which is all that a worker would compute for the range."""
        runs: list[list[Block]] = []
        for block in sorted(blocks):
            longer = [*runs[-1], block] if runs else []
            if longer and tree.cover(longer[0][0], block[1], self.total) == longer:
                runs[-1].append(block)
            else:
                runs.append([block])
        return runs
