"""The state machine of a round: any order of events, checked against a book that is kept here."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.compute import tree
from engine.compute.tree import Block
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
    Event,
    Expel,
    Ignore,
    IgnoreReason,
    Instruction,
    Joined,
    Lapsed,
    Leases,
    Left,
    Resized,
    Stranded,
    Tick,
)
from tests.support.fakes import CheckedScheduler, replay
from tests.support.tools import LONGER

SLACK = 1e-6  # seconds, for rounding
PATIENCE = Leases()
TRUTH = "the right bits"


@dataclass
class Share:
    """An entry in the book: a share in a worker's hands."""

    assign: Assign
    total: int
    blocks: set[Block]
    given: float
    lapsed: bool = False


def inside(block: Block, other: Block) -> bool:
    return other[0] <= block[0] and block[1] <= other[1]


def accepted(instructions: list[Instruction]) -> list[Block]:
    return [x.block for x in instructions if isinstance(x, Accept)]


class AnyOrder(RuleBasedStateMachine):
    """Keeps a book of who has what, who said what and what was counted, and compares every instruction with it."""

    WORKERS = st.sampled_from([b"%d" % i for i in range(5)])

    def __init__(self) -> None:
        super().__init__()
        self.rounds = CheckedScheduler()
        self.now = 0.0
        self.begun = Begin(0, 0, 0, 1)
        self.open = False
        self.counted: set[int] = set()
        self.hands: dict[bytes, Share] = {}
        self.holds: dict[bytes, int] = {}  # live workers, and the version of the parameters they hold
        self.machines: dict[bytes, str] = {}  # of all workers that ever joined
        self.apart: bool | None = None  # whether opinions must come from different machines; None: no share yet
        self.votes: dict[Block, dict[bytes, str]] = {}  # blocks in question, and who said what
        self.given: set[Block] = set()  # in this round; what is in one of them is a piece of it, which nobody audits
        self.attempts: set[int] = set()
        self.most = 1  # processes that any worker has had
        self.done: list[Answered] = []
        self.taken: list[Answered] = []  # what was asked of workers, until the share was taken from them

    def feed(self, event: Event) -> list[Instruction]:
        out = self.rounds.handle(event, self.now)
        if self.apart is None and any(isinstance(instruction, Assign) for instruction in out):
            self.apart = len({self.machines[worker] for worker in self.holds}) > 1
        for instruction in out:
            match instruction:
                case Assign():
                    self.assigned(instruction)
                case Accept(block, found):
                    assert isinstance(event, Answered | Arbitrated)
                    right = {w for w, said in self.votes.get(block, {}).items() if said == event.bits}
                    assert found in right if isinstance(event, Arbitrated) and right else found is None
                    assert block == event.block
                    numbers = set(range(*block))
                    assert not numbers & self.counted, "counted twice"
                    self.counted |= numbers
                case Complete(number):
                    assert number == self.begun.round
                    assert self.counted == set(range(self.begun.total))
                    self.open = False
                case Lapsed(worker, blocks):
                    assert isinstance(event, Tick)
                    assert set(blocks) == self.hands[worker].blocks
                    assert self.now - self.hands[worker].given >= PATIENCE.least_lease - SLACK
                    assert not self.hands[worker].lapsed, "once is enough"
                    self.hands[worker].lapsed = True
                case Expel(worker, block):
                    assert isinstance(event, Answered | Arbitrated)
                    assert self.votes[block][worker] != event.bits, "it is not in the minority"
                    self.gone(worker)
                case Differ(workers, block):
                    assert set(workers) == self.votes[block].keys()
                    assert len(set(self.votes[block].values())) > 1
                case Arbitrate(block):
                    self.may_be_arbitrated(block)
        for instruction in out:
            # What is found out about one block may expel a worker whose opinion on another was asked for as well.
            if isinstance(instruction, Arbitrate):
                self.arbiter(instruction.block)
        return out

    def may_be_arbitrated(self, block: Block) -> None:
        """Check that a block that the coordinator is to compute could not be left to workers."""
        assert self.votes[block], "nobody was asked before"
        for worker in (worker for worker in self.holds if self.may_say(worker, block)):
            late = self.now - self.hands[worker].given if worker in self.hands else 0.0
            assert late >= PATIENCE.least_late - SLACK, "a worker could have been asked"

    def arbiter(self, block: Block) -> None:
        """Do as the coordinator does: compute the block, and tell the result at once."""
        assert block in accepted(self.feed(Arbitrated(self.begun.round, block, TRUTH)))

    def voter(self, worker: bytes) -> str | bytes:
        """Return whose opinion a worker's is: that of its machine if there were several when the round was cut."""
        return self.machines[worker] if self.apart else worker

    def voters(self, block: Block, bits: str | None = None) -> set[str | bytes]:
        """Return whose opinions on a block there are, or those that are `bits`."""
        return {self.voter(w) for w, said in self.votes.get(block, {}).items() if bits is None or said == bits}

    def may_say(self, worker: bytes, block: Block) -> bool:
        """Tell whether the opinion of a worker on a block would be a new one."""
        return self.voter(worker) not in self.voters(block)

    def assigned(self, assign: Assign) -> None:
        assert assign.worker in self.holds, "assigned to the gone"
        assert assign.worker not in self.hands, "assigned to the busy"
        assert assign.attempt not in self.attempts, "an attempt has one owner"
        assert self.open
        assert assign.round == self.begun.round
        start, stop = assign.share
        assert 0 <= start < stop <= self.begun.total
        assert stop - start <= self.begun.cap * self.most
        missing = set(range(start, stop)) - self.counted
        assert missing, "nothing of it is missing"
        blocks = set(tree.cover(start, stop, self.begun.total))
        for block in blocks:
            assert self.may_say(assign.worker, block), "asked twice for its opinion"
            on_time = [s for s in self.holders(block) if self.now - s.given < PATIENCE.least_late - SLACK]
            assert len(on_time) <= self.questioned(block), "somebody else is expected to answer it soon"
        assert assign.with_parameters == (self.holds[assign.worker] != self.begun.version)
        self.given |= blocks
        self.attempts.add(assign.attempt)
        self.holds[assign.worker] = self.begun.version
        self.hands[assign.worker] = Share(assign, self.begun.total, blocks, self.now)

    def wanted(self, block: Block) -> bool:
        """Tell whether nothing of the block is counted, and it is not a piece of one in question, nor is one of it."""
        related = [x for x in self.votes if x != block and (inside(x, block) or inside(block, x))]
        return not (set(range(*block)) & self.counted or related)

    def holders(self, block: Block) -> list[Share]:
        """Return the shares of this round that hold the block, still missing, and have not lapsed."""
        shares = [s for s in self.hands.values() if s.assign.round == self.begun.round and not s.lapsed]
        return [s for s in shares if block in s.blocks and not set(range(*block)) <= self.counted]

    def held(self) -> set[int]:
        """Return the micro-batches of this round that somebody has whose lease has not lapsed."""
        current = [s for s in self.hands.values() if s.assign.round == self.begun.round and not s.lapsed]
        return {i for share in current for block in share.blocks for i in range(*block)}

    def questioned(self, block: Block) -> bool:
        """Tell whether two workers must agree on the block."""
        chosen = self.begun.audit is not None and self.begun.audit.chooses(block)
        return block in self.votes or (chosen and not any(x != block and inside(block, x) for x in self.given))

    def gone(self, worker: bytes) -> None:
        """Strike a worker off the book, and all it said of blocks that are not decided."""
        self.holds.pop(worker, None)
        self.hands.pop(worker, None)
        for block, voted in self.votes.items():
            if not set(range(*block)) <= self.counted:
                voted.pop(worker, None)

    def of_rounds_over(self) -> list[bytes]:
        """Return the workers that have a share of a round that is over."""
        current = self.begun.round if self.open else None
        return sorted(worker for worker, share in self.hands.items() if share.assign.round != current)

    def recall(self, worker: bytes) -> None:
        """Take a worker's share and parameters from it; it may answer all the same, which never counts."""
        share = self.hands.pop(worker)
        self.holds[worker] = -1
        self.taken += [Answered(worker, share.assign.round, share.assign.attempt, block) for block in share.blocks]

    def answer(self, worker: bytes, block: Block, bits: str = TRUTH, finite: bool = True) -> None:
        """Let a worker answer a block that it has."""
        share = self.hands[worker]
        wanted = self.open and share.assign.round == self.begun.round and self.wanted(block)
        share.blocks.remove(block)
        if not share.blocks:
            del self.hands[worker]
        event = Answered(worker, share.assign.round, share.assign.attempt, block, bits, finite)
        self.done.append(event)
        if not wanted:
            assert isinstance(self.feed(event)[0], Ignore)
            return
        decided = True
        if self.questioned(block) or not finite:
            assert self.rounds.in_question(block) or not finite, "the bits would not have been sent along"
            voted = self.votes.setdefault(block, {})
            voted[worker] = bits
            decided = len(self.voters(block, bits)) > 1
        out = self.feed(event)
        assert (block in accepted(out)) == decided
        assert (Ignore(worker, IgnoreReason.NOT_FINITE, block) in out) == (not finite)

    @rule(worker=WORKERS, machine=st.sampled_from(["here", "here", "there", "elsewhere"]))
    def join(self, worker: bytes, machine: str) -> None:
        self.gone(worker)
        self.holds[worker] = -1
        self.machines[worker] = machine
        self.feed(Joined(worker, machine))

    @rule(worker=WORKERS, processes=st.integers(1, 4))
    def resize(self, worker: bytes, processes: int) -> None:
        self.most = max(self.most, processes)
        self.feed(Resized(worker, processes))

    @rule(worker=WORKERS)
    def leave(self, worker: bytes) -> None:
        self.gone(worker)
        self.feed(Left(worker))

    @rule(worker=WORKERS)
    def strand(self, worker: bytes) -> None:
        """Let a worker wait in vain for parameters: what it has of a round that is over is taken from it."""
        if worker in self.of_rounds_over():
            self.recall(worker)
        self.feed(Stranded(worker))

    @precondition(lambda self: self.of_rounds_over())
    @rule(data=st.data())
    def somebody_is_stranded(self, data: st.DataObject) -> None:
        self.strand(data.draw(st.sampled_from(self.of_rounds_over())))

    @rule(
        total=st.integers(1, 20),
        cap=st.integers(1, 20),
        same=st.booleans(),
        audit=st.sampled_from([None, None, 0.0, 0.3, 1.0]),
    )
    def begin(self, total: int, cap: int, same: bool, audit: float | None) -> None:
        number = self.begun.round + 1
        chosen = None if audit is None else Audit(audit, seed=1, step=number)
        self.begun = Begin(number, total, self.begun.version + (not same), cap, chosen)
        self.open, self.counted, self.votes, self.apart = True, set(), {}, None
        self.given = set()
        self.feed(self.begun)

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 5.0, 15.0, 60.0, 1000.0]), tick=st.booleans())
    def time_passes(self, seconds: float, tick: bool) -> None:
        self.now += seconds
        if tick:
            self.feed(Tick())
            deadline = self.rounds.next_deadline()
            assert deadline is None or deadline > self.now, "it would be polled again and again"

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_answers(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(sorted(self.hands)))
        self.answer(worker, data.draw(st.sampled_from(sorted(self.hands[worker].blocks))))

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), bits=st.sampled_from([TRUTH, "lie", "another lie"]), finite=st.booleans())
    def somebody_answers_what_may_be_wrong(self, data: st.DataObject, bits: str, finite: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.hands)))
        self.answer(worker, data.draw(st.sampled_from(sorted(self.hands[worker].blocks))), bits, finite)

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def somebody_answers_again(self, data: st.DataObject) -> None:
        (ignore,) = self.feed(data.draw(st.sampled_from(self.done)))
        assert isinstance(ignore, Ignore)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def somebody_answers_what_was_taken_from_it(self, data: st.DataObject) -> None:
        (ignore,) = self.feed(data.draw(st.sampled_from(self.taken)))
        assert isinstance(ignore, Ignore)
        assert ignore.reason in (IgnoreReason.LATE, IgnoreReason.UNASKED), "it is the first answer"

    @rule(
        worker=WORKERS,
        number=st.integers(0, 9),
        attempt=st.integers(0, 40),
        start=st.integers(-1, 9),
        n=st.integers(0, 9),
    )
    def somebody_invents_an_answer(self, worker: bytes, number: int, attempt: int, start: int, n: int) -> None:
        block = (start, start + n)
        share = self.hands.get(worker)
        if share and (share.assign.round, share.assign.attempt) == (number, attempt) and block in share.blocks:
            self.answer(worker, block)
            return
        (ignore,) = self.feed(Answered(worker, number, attempt, block))
        assert isinstance(ignore, Ignore)

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), off=st.sampled_from([-1, 1]))
    def somebody_answers_in_the_name_of_another_round(self, data: st.DataObject, off: int) -> None:
        share = self.hands[data.draw(st.sampled_from(sorted(self.hands)))].assign
        block = tree.cover(*share.share, self.hands[share.worker].total)[0]
        (ignore,) = self.feed(Answered(share.worker, share.round + off, share.attempt, block))
        assert isinstance(ignore, Ignore)

    @rule()
    def one_that_keeps_answering_completes_the_round(self) -> None:
        """All others stay silent, or leave."""
        self.join(b"diligent", "here")
        for _ in range(200):
            if not self.open:
                return
            while share := self.hands.get(b"diligent"):
                self.answer(b"diligent", min(share.blocks))
            self.now += PATIENCE.most_lease
            self.feed(Tick())
        raise AssertionError("the round never completes")

    @invariant()
    def an_idle_worker_means_that_others_have_the_rest(self) -> None:
        """Whatever is missing and in nobody's hands, those who are idle have said their opinion of."""
        missing = set(range(self.begun.total)) - self.counted - self.held()
        for worker in self.holds.keys() - self.hands.keys() if self.open else ():
            said = {i for block in self.votes if not self.may_say(worker, block) for i in range(*block)}
            assert missing <= said

    @invariant()
    def the_next_deadline_is_not_missed(self) -> None:
        deadline = self.rounds.next_deadline()
        given = [share.given for share in self.hands.values() if not share.lapsed]
        assert self.rounds.expecting() == bool(given)
        if given:
            assert deadline is not None
            assert deadline <= min(given) + PATIENCE.most_lease + SLACK

    @invariant()
    def who_is_there_is_known(self) -> None:
        assert len(self.rounds) == len(self.holds)

    def teardown(self) -> None:
        self.one_that_keeps_answering_completes_the_round()
        replay(self.rounds.events())


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60 * LONGER, stateful_step_count=50)
