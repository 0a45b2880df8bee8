"""Between the scheduler and the peers: gives the scheduler events one by one, and carries out its instructions."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from engine.compute.sums import Sums, bits_of
from engine.compute.tree import Block
from engine.coordinator import rounds
from engine.coordinator.active_round import ActiveRound
from engine.coordinator.config import Environment
from engine.coordinator.exchange.exchanges import Exchanges
from engine.coordinator.membership import Membership
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.outbox import Outbox, Parcel
from engine.coordinator.peers import Peers
from engine.coordinator.vain import LOST
from engine.nn.parameters import Vector
from engine.wire import messages as m

REFUSED = "it was refused"
EXPELLED = "it was expelled"
UNASKED = (rounds.IgnoreReason.UNASKED, rounds.IgnoreReason.DOUBLED)


@dataclass(frozen=True)
class EventSums:
    """The sums that belong to an event; `sender` and its RESULT, None if they were computed here.

    `formed`: gradients of nodes above the block, as in `Reduction.put`. `in_parts`: members of an exchange have the
    parts of the gradient.
    """

    sums: Sums
    sender: tuple[bytes, m.Result] | None = None
    formed: Sequence[Vector] = ()
    in_parts: bool = False


class Dispatcher:
    """The queue of events that the scheduler has not seen, and the round that its instructions are about.

    Of the scheduler, others only ask what it knows.
    """

    def __init__(
        self, environment: Environment, scheduler: rounds.Scheduler, peers: Peers, members: Membership
    ) -> None:
        self._clock = environment.clock
        self._notice = environment.notice
        self._arbiter = environment.arbiter
        self._peers = peers
        self._members = members
        self.scheduler = scheduler
        self._events: deque[tuple[rounds.Event, EventSums | None]] = deque()  # that the scheduler has not seen
        self._outbox = Outbox()
        self.exchanges = Exchanges(peers, members)
        self.active: ActiveRound | None = None

    def begin(self, active: ActiveRound, begin: rounds.Begin) -> None:
        """Give the workers their shares of a round."""
        self.active = active
        active.began = active.began or self._clock.now()  # it may begin again
        self._peers.publish(begin.version, active.parameters)
        self.put(begin)
        self.handle_events()

    def put(self, event: rounds.Event, answer: EventSums | None = None) -> None:
        """Add an event to the queue."""
        self._events.append((event, answer))

    def lose(self, peer: bytes, reason: str, kind: NoticeKind = NoticeKind.LOST, detail: str | None = None) -> None:
        """Part from a worker that cannot be reached, said goodbye or is refused."""
        name = self._members.name(peer)
        self._peers.part(peer, kind, reason, detail)
        self.exchanges.lose(peer, name)
        self._outbox.forget(peer)
        self.put(rounds.Left(peer))

    def expel(self, peer: bytes, kind: NoticeKind, reason: str) -> None:
        """Part for good from a worker that harms the run."""
        self._peers.expel(peer, kind, reason)
        self.lose(peer, EXPELLED)

    def arrived(self, peer: bytes, attempt: int) -> None:
        """Note that a worker has the parameters that it was sent with an attempt: another may be sent them now."""
        expected = self.exchanges.arrived(peer, attempt) or self._outbox.arrived(peer, attempt, self._clock.now())
        if not expected and not self._peers.local(peer):
            self.unasked(peer)

    def expecting(self) -> bool:
        """Return whether anybody is expected to answer."""
        return self.scheduler.expecting() or self.exchanges.expecting()

    def next_deadline(self) -> float | None:
        """Return when there may be something to do even if nothing happens, at the earliest; None if never."""
        deadlines = self.scheduler.next_deadline(), self._outbox.next_deadline(), self.exchanges.next_deadline()
        return min((one for one in deadlines if one is not None), default=None)

    def unasked(self, peer: bytes) -> None:
        """Note an unrequested message of a peer; one that sends too many is expelled."""
        if self._peers.floods(peer):
            self.expel(peer, NoticeKind.FLOOD, "it sent too many unrequested messages")

    def handle_events(self) -> None:
        """Give the scheduler all events there are, and carry out what it says, which may lead to further events.

        A loop and not a call from within `_carry_out`: when a thousand workers are lost at once, each loss shows in
        the attempt to give another worker what the last one had.
        """
        self.exchanges.look(self._clock.now())
        self._ship()
        while self._events:
            event, answer = self._events.popleft()
            self._carry_out(self.scheduler.handle(event, self._clock.now()), answer)
            self._ship()

    def _carry_out(self, instructions: list[rounds.Instruction], answer: EventSums | None) -> None:
        """Do what the scheduler says, `answer` being what came with the event.

        Shares are sent last and together, because a worker that has one takes our core; what takes long is for then.
        """
        shares: list[rounds.Assign] = []
        disputed: list[Block] = []
        for instruction in instructions:
            match instruction:
                case rounds.Assign():
                    shares.append(instruction)
                case rounds.Accept(block, found):
                    self._count(block, answer, found)
                case rounds.Complete():
                    active = self._round()
                    active.done = self.exchanges.complete(active, self._clock.now())
                case rounds.Arbitrate(block):
                    disputed.append(block)
                case rounds.Ignore() | rounds.Lapsed() | rounds.Differ() | rounds.Expel():
                    self._blame(instruction)
                case _:
                    assert_never(instruction)
        if shares:
            self._send(shares)
        self._events.extend(self._arbitrate(block) for block in disputed)

    def _round(self) -> ActiveRound:
        if self.active is None:
            raise RuntimeError("the scheduler has a round that is not active here")
        return self.active

    def _count(self, block: Block, answer: EventSums | None, found: bytes | None) -> None:
        """Add up the sums of a block, and credit the worker that computed or `found` them in training."""
        active = self._round()
        if answer is None:
            raise RuntimeError(f"the scheduler accepts block {block}, but no sums came with the event")
        if answer.sender:
            self._peers.trust(answer.sender[0])
        else:
            active.sums.doubt(block)
        if answer.in_parts and answer.sender:
            self.exchanges.count(block, answer.sender[0], answer.sums)
        else:
            active.sums.put(block, answer.sums, answer.formed)
        if active.work.kind is not m.WorkKind.TRAIN:
            return
        images = active.uncredited(block)
        if answer.sender:
            peer, result = answer.sender
            told = self._members.told(peer, active.work.round, block)
            done = self._members.credit(peer, images, result.seconds, result.cpu, told)
            active.counted += [(block, one) for one in done]
            active.busy[peer] += result.seconds
        elif found and self._members.get(found):  # else it was lost a moment ago, which the scheduler will hear next
            told = self._members.told(found, active.work.round, block)
            active.counted += [(block, one) for one in self._members.credit(found, images, 0.0, 0.0, told)]
        elif images:
            text = f"{images} images of step {active.work.step} were computed by the coordinator"
            self._notice(Notice(NoticeKind.ARBITRATED, None, text))

    def _send(self, shares: list[rounds.Assign]) -> None:
        active = self._round()
        if not active.shared_out:
            active.shared_out = True
            self.exchanges.form(active, shares, self.scheduler.questioned())
        members = [self._members.get(assign.worker) for assign in shares]
        for assign, member in zip(shares, members, strict=True):
            parcel = Parcel(assign.worker, *active.share(assign, member.part if member else None))
            at_once = parcel.work.roster > 0 or self._peers.local(assign.worker) is not None
            self._outbox.put(parcel, at_once)
        self._ship()

    def _ship(self) -> None:
        """Send what may be sent now."""
        for parcel in self._outbox.take(self._clock.now()):
            if not self._peers.send(parcel.peer, parcel.work, parcel.payload):
                self.lose(parcel.peer, LOST)

    def _arbitrate(self, block: Block) -> tuple[rounds.Event, EventSums]:
        """Compute a block here."""
        active = self._round()
        sums = self._arbiter(active.work, block, active.parameters)
        return rounds.Arbitrated(active.work.round, block, bits_of(sums)), EventSums(sums)

    def _blame(self, instruction: rounds.Ignore | rounds.Lapsed | rounds.Differ | rounds.Expel) -> None:
        """Record what went wrong in the round, and tell the worker and the supervisor."""
        place = "" if self.active is None else f" of step {self.active.work.step}"
        name = self._members.name
        match instruction:
            case rounds.Ignore(peer, reason, block):
                fate = "is in question" if reason is rounds.IgnoreReason.NOT_FINITE else "was not used"
                self._notice(Notice(NoticeKind(reason), name(peer), f"its answer for block {block} {fate}"))
                if reason in UNASKED:
                    self.unasked(peer)
            case rounds.Lapsed(peer, blocks):
                self._notice(Notice(NoticeKind.LAPSED, name(peer), f"no answer in time for blocks {list(blocks)}"))
                self._peers.suspect(peer)
            case rounds.Differ(peers, block):
                names = ", ".join(name(peer) for peer in peers)
                text = f"{names} sent different bits for block {block}{place}"
                self._notice(Notice(NoticeKind.DIFFERS, name(peers[-1]), text))
            case rounds.Expel(peer, block):
                text = f"its bits for block {block}{place} are wrong; possible causes: bad memory, or other software"
                if self.active is not None:
                    self.active.expelled.append(name(peer))
                self.expel(peer, NoticeKind.AUDIT, text)
            case _:
                assert_never(instruction)
