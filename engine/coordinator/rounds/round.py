"""The blocks of one round: which are missing, which wait for a worker, which were copied, which are in question."""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable

from engine.compute import tree
from engine.compute.tree import Block
from engine.coordinator.rounds.events import Begin, Worker
from engine.coordinator.rounds.shares import shares_along_tree
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
        self.voice: Callable[[Worker], Hashable] = itself  # whose opinion a worker's is, as in `Ballot`
        self._audit = begin.audit

    def cut(self, speeds: list[float], cap: int) -> list[Block]:
        """Return shares of the round proportional to `speeds`; they wait in pieces of at most `cap` micro-batches."""
        cut = shares_along_tree((0, self.total), self.total, speeds)
        for start, stop in cut:
            for low in range(start, stop, cap):
                self.waiting.append(tree.cover(low, min(low + cap, stop), self.total))
        self.missing = {block for share in self.waiting for block in share}
        if self._audit:
            self.ballots = {block: Ballot(self.voice) for block in sorted(self.missing) if self._audit.chooses(block)}
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

    def copy(self, late: Iterable[Task]) -> list[Block]:
        """Return the block to be expected last of those that only late workers have; empty if there is none.

        A worker computes the blocks of its share in order, so its last one is copied first.
        """
        tasks = [task for task in late if task.round == self.number and not task.lapsed]
        holders = Counter(block for task in tasks for block in task.blocks)
        for task in sorted(tasks, key=lambda task: -task.late_at):
            for block in reversed(task.blocks):
                if block in self.missing and block not in self.ballots:
                    copies = self.copies.get(block, 0)
                    if copies < holders[block]:
                        self.copies[block] = copies + 1
                        return [block]
        return []

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

    def give_back(self, worker: Worker, task: Task) -> None:
        """Let others have the missing blocks of `task`, unless another worker has a copy."""
        if task.round != self.number:
            return
        again = []
        for block in task.blocks:
            if block in self.ballots:
                self._ask_no_more(worker, block)  # so that others will be asked
            elif self.copies.get(block):
                self.copies[block] -= 1
            elif block in self.missing:
                again.append(block)
        self.waiting.extendleft(reversed(_runs(again)))

    def put_in_question(self, block: Block, asked: set[Worker]) -> None:
        """Require that two workers agree on `block`, which those in `asked` have."""
        self.copies.pop(block, None)
        self.ballots[block] = Ballot(self.voice, asked=asked)
        self._reconsider(block)
        self.waiting = deque(run for share in self.waiting for run in _runs(x for x in share if x != block))

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


def _runs(blocks: Iterable[Block]) -> list[list[Block]]:
    """Group blocks into contiguous runs, each of which is one range."""
    runs: list[list[Block]] = []
    for block in sorted(blocks):
        if runs and runs[-1][-1][1] == block[0]:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs
