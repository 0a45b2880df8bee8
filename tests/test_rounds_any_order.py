"""The state machine of a round: any order of events, checked against a book that is kept here."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine import plan
from engine.plan import Block
from engine.rounds import (
    FIRST_LEASE,
    LEAST_LEASE,
    MOST_LEASE,
    Accept,
    Answered,
    Assign,
    Begin,
    Complete,
    Event,
    Ignore,
    Instruction,
    Joined,
    Lapsed,
    Left,
    Rounds,
    Tick,
)

SLACK = 1e-6  # seconds, for rounding


@dataclass
class Share:
    """An entry in the book: a share in a worker's hands."""

    assign: Assign
    total: int
    blocks: set[Block]
    given: float
    lapsed: bool = False


class AnyOrder(RuleBasedStateMachine):
    """Keeps a book of who has what and what was counted, and compares every instruction with it."""

    WORKERS = st.sampled_from([b"%d" % i for i in range(5)])

    def __init__(self) -> None:
        super().__init__()
        self.rounds = Rounds()
        self.now = 0.0
        self.begun = Begin(0, 0, 0, 1)
        self.open = False
        self.counted: set[int] = set()
        self.hands: dict[bytes, Share] = {}
        self.holds: dict[bytes, int] = {}  # live workers, and the version of the parameters they hold
        self.attempts: set[int] = set()
        self.done: list[Answered] = []

    def feed(self, event: Event) -> list[Instruction]:
        out = self.rounds.handle(event, self.now)
        for instruction in out:
            match instruction:
                case Assign():
                    self.assigned(instruction)
                case Accept(block):
                    assert isinstance(event, Answered)
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
                    assert self.now - self.hands[worker].given >= LEAST_LEASE - SLACK
                    assert not self.hands[worker].lapsed, "once is enough"
                    self.hands[worker].lapsed = True
        return out

    def assigned(self, assign: Assign) -> None:
        assert assign.worker in self.holds, "assigned to the gone"
        assert assign.worker not in self.hands, "assigned to the busy"
        assert assign.attempt not in self.attempts, "an attempt has one owner"
        assert self.open
        assert assign.round == self.begun.round
        start, stop = assign.share
        assert 0 <= start < stop <= self.begun.total
        assert stop - start <= self.begun.cap
        missing = set(range(start, stop)) - self.counted
        assert missing, "nothing of it is missing"
        assert not missing & self.held(), "somebody else is expected to answer it"
        assert assign.with_parameters == (self.holds[assign.worker] != self.begun.version)
        self.attempts.add(assign.attempt)
        self.holds[assign.worker] = self.begun.version
        blocks = set(plan.cover(start, stop, self.begun.total))
        self.hands[assign.worker] = Share(assign, self.begun.total, blocks, self.now)

    def held(self) -> set[int]:
        """Return the micro-batches of this round that somebody has whose lease has not lapsed."""
        current = [s for s in self.hands.values() if s.assign.round == self.begun.round and not s.lapsed]
        return {i for share in current for block in share.blocks for i in range(*block)}

    def answer(self, worker: bytes, block: Block) -> None:
        """Let a worker answer truthfully a block that it has."""
        share = self.hands[worker]
        expected = self.open and share.assign.round == self.begun.round and not set(range(*block)) <= self.counted
        share.blocks.remove(block)
        if not share.blocks:
            del self.hands[worker]
        event = Answered(worker, share.assign.round, share.assign.attempt, block)
        self.done.append(event)
        first = self.feed(event)[0]
        assert first == Accept(block) if expected else isinstance(first, Ignore)

    @rule(worker=WORKERS)
    def join(self, worker: bytes) -> None:
        self.holds[worker] = -1
        self.hands.pop(worker, None)
        self.feed(Joined(worker))

    @rule(worker=WORKERS)
    def leave(self, worker: bytes) -> None:
        self.holds.pop(worker, None)
        self.hands.pop(worker, None)
        self.feed(Left(worker))

    @rule(total=st.integers(1, 20), cap=st.integers(1, 20), same=st.booleans())
    def begin(self, total: int, cap: int, same: bool) -> None:
        self.begun = Begin(self.begun.round + 1, total, self.begun.version + (not same), cap)
        self.open, self.counted = True, set()
        self.feed(self.begun)

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, LEAST_LEASE, FIRST_LEASE, 1000.0]), tick=st.booleans())
    def time_passes(self, seconds: float, tick: bool) -> None:
        self.now += seconds
        if tick:
            self.feed(Tick())

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_answers(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(sorted(self.hands)))
        self.answer(worker, data.draw(st.sampled_from(sorted(self.hands[worker].blocks))))

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def somebody_answers_again(self, data: st.DataObject) -> None:
        (ignore,) = self.feed(data.draw(st.sampled_from(self.done)))
        assert isinstance(ignore, Ignore)

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
        block = plan.cover(*share.share, self.hands[share.worker].total)[0]
        (ignore,) = self.feed(Answered(share.worker, share.round + off, share.attempt, block))
        assert isinstance(ignore, Ignore)

    @rule()
    def one_that_keeps_answering_completes_the_round(self) -> None:
        """All others stay silent, or leave."""
        self.join(b"diligent")
        for _ in range(200):
            if not self.open:
                return
            while share := self.hands.get(b"diligent"):
                self.answer(b"diligent", min(share.blocks))
            self.now += MOST_LEASE
            self.feed(Tick())
        raise AssertionError("the round never completes")

    @invariant()
    def an_idle_worker_means_that_others_have_the_rest(self) -> None:
        """Without a lapse or a loss in between, nothing that is missing lies about while somebody has nothing to do."""
        if self.open and self.holds.keys() - self.hands.keys():
            assert self.counted | self.held() >= set(range(self.begun.total))

    @invariant()
    def the_next_deadline_is_that_of_a_share(self) -> None:
        deadline = self.rounds.next_deadline()
        expected = [share.given for share in self.hands.values() if not share.lapsed]
        assert (deadline is None) == (not expected)
        assert deadline is None or LEAST_LEASE - SLACK <= deadline - min(expected) <= MOST_LEASE + SLACK

    def teardown(self) -> None:
        self.one_that_keeps_answering_completes_the_round()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
