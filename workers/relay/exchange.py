"""What a relay has and owes in an exchange: a state machine without sockets, clocks or files.

event                               action
SEAT with a number                  Present
INVITE, MEET                        Expect; Dial, or Forget
Met                                 Send MET
Unsent                              Send FAULT
ROSTER                              nothing: it says who is in the exchanges to come
WORK with a part of the parameters  Send ARRIVED, Tell PART to all others; once theirs are there, it is as any WORK
a block of the share                Tell PIECE to all others, keeping the own one
ADD                                 Send SUM, once all pieces are there that count
a PART or PIECE of the wrong size   Send FAULT
time                                Send FAULT for those of whom nothing came in time

Of another member it sends one FAULT a round at most.

Nothing that another relay sends is used before it is checked, and each can fill but a bounded part of memory.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from engine.compute import tree
from engine.compute.sums import Adder, Sums
from engine.coordinator.exchange.deadline import OF_MEMBER, AdaptiveDeadline
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import exchange, relays
from engine.wire import messages as m
from engine.wire.shared_memory import FLOAT
from workers.relay.links import Dial, Expect, Forget, LinkAction, LinkEvent, Met, Present, Said, Tell, Unsent
from workers.session import Send

MAX_PIECES = 64  # pieces of one member for one round

Action = LinkAction | Send
Key = tuple[tree.Block, int]  # a block, and whose answer it is


@dataclass(frozen=True)
class Whole:
    """A share whose parameters are here; `payload`: they are new, and came in one piece or `in_parts`."""

    work: m.Work
    payload: m.Frame | None
    in_parts: bool = False


@dataclass
class _Assembly:
    """Parameters that come in parts, those of `missing` members not yet. `work` is to be done with them."""

    round: int
    work: m.Work
    vector: Vector
    missing: set[int]


@dataclass
class _Round:
    """`wanted`: the answers that count, None as long as that is not known; `missing`: those that are not here."""

    number: int
    total: int
    members: tuple[int, ...]
    pieces: dict[Key, Vector] = field(default_factory=dict)
    kept: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))  # pieces, by member
    wanted: list[exchange.Answer] | None = None
    missing: set[Key] = field(default_factory=set)

    def added(self, answers: list[exchange.Answer]) -> bytes:
        """Return the sums of what was answered, one node of the tree after the other."""
        whole = tree.TreeSum(self.total, Adder(None))
        for block, number in answers:
            whole.put(block, Sums(0.0, 0, self.pieces[block, number]))
        found = [whole.take(node).gradient for node in whole.nodes()]
        return b"".join(one.tobytes() for one in found if one is not None)


class Exchange:
    """Feed it what comes in; it returns what to do. `size`: of a vector, in numbers; `now`: the time, in seconds."""

    def __init__(self) -> None:
        self.size, self.now = 0, 0.0
        self.number = 0  # 0: it is in no exchange
        self._session, self._roster = "", 0
        self._members: tuple[int, ...] = ()
        self._assembly: _Assembly | None = None
        self._round: _Round | None = None
        self._early: defaultdict[int, list[Said]] = defaultdict(list)  # of rounds to come, by member
        self._whole: Whole | None = None
        self._for_parts, self._for_pieces = AdaptiveDeadline(OF_MEMBER), AdaptiveDeadline(OF_MEMBER)
        self._at_fault: set[int] = set()  # those of whom a FAULT was sent in this round

    def seated(self, seat: relays.Seat) -> list[Action]:
        """Take the number that the coordinator gives."""
        self.number, self._session = seat.number, seat.session
        return [Present(exchange.Link(seat.session, seat.number))] if seat.number else []

    def told(self, message: relays.Invite | exchange.ToMember, payload: m.Frame | None = None) -> list[Action]:
        """Take a message of the coordinator. ProtocolError if it does not belong here."""
        if message.session != self._session:
            return []
        match message:
            case relays.Invite():
                return [Expect(message.number, message.key)]
            case exchange.Meet(number=number, address=address):
                self._early.pop(number, None)
                return [Dial(number, address, message.key) if address else Forget(number)]
            case exchange.Roster():
                self._roster, self._members = message.roster, exchange.members_of(payload)
                return []
            case exchange.Add():
                return self._add(message, payload)
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for a member")

    def concerns(self, work: m.Work) -> bool:
        """Return whether a share is of an exchange, or takes the place of one whose parameters are not all here."""
        return work.session == self._session and (work.roster > 0 or self._assembly is not None)

    def work(self, work: m.Work, payload: m.Frame | None) -> list[Action]:
        """Take a share: one of an exchange, or with parameters that are not here. ProtocolError if it can be none."""
        if work.roster:
            self._begin(work)
        out: list[Action] = []
        if payload is not None and work.roster and len(payload) != FLOAT.itemsize * self.size:
            out += self._assemble(work, payload)
        elif payload is None and self._assembly and self._assembly.work.version == work.version:
            self._assembly.work = work
        else:
            self._assembly, self._whole = None, Whole(work, payload)
        early, self._early = self._early, defaultdict(list)
        return out + [action for kept in early.values() for one in kept for action in self.handle(one)]

    def take_whole(self) -> Whole | None:
        """Return the share whose parameters are here now, if there is one since the last call."""
        whole, self._whole = self._whole, None
        return whole

    def _begin(self, work: m.Work) -> None:
        """Begin a round, unless it has begun."""
        if work.roster != self._roster or self.number not in self._members:
            raise ProtocolError(f"WORK for the roster {work.roster}, but this relay is in {self._roster}")
        if self._round is None or self._round.number < work.round:
            self._round = _Round(work.round, work.total, self._members)
            self._at_fault.clear()

    def _assemble(self, work: m.Work, payload: m.Frame) -> list[Action]:
        """Take the own part of the parameters, and pass it on."""
        own = self._members.index(self.number)
        part = exchange.part(self.size, len(self._members), own)
        if len(payload) != FLOAT.itemsize * (part.stop - part.start):
            raise ProtocolError(f"parameters of {len(payload)} bytes are neither all nor a part")
        others = [*self._members[own + 1 :], *self._members[:own]]  # each begins with another one
        vector = np.empty(self.size, FLOAT)
        vector[part] = np.frombuffer(payload, FLOAT)
        self._assembly = _Assembly(work.round, work, vector, set(others))
        self._for_parts.begin(self.now)
        message = exchange.Part(self._session, work.round)
        return [
            Send(m.Arrived(work.session, work.round, work.attempt)),
            *(Tell(number, message, payload) for number in others),
        ]

    def handle(self, event: LinkEvent) -> list[Action]:
        """Take what other relays say, or what has happened to the connections to them."""
        if isinstance(event, Met):
            return [Send(exchange.Met(self._session, event.number, int(event.reached)))] if self.number else []
        if isinstance(event, Unsent):
            return self._fault(event.number) if self.number else []
        message = event.message
        if not isinstance(message, exchange.Part | exchange.Piece) or message.session != self._session:
            return []
        if self._round is None or message.round > self._round.number:
            self._keep(event)
        elif message.round == self._round.number:
            return self._of_round(message, event, self._round)
        return []

    def _fault(self, *numbers: int) -> list[Action]:
        new = sorted({*numbers} - self._at_fault)
        self._at_fault.update(new)
        return [Send(exchange.Fault(self._session, number)) for number in new]

    def look(self) -> list[Action]:
        """Tell of whom nothing has come in time."""
        late: set[int] = set()
        if self._assembly and self._for_parts.over(self.now):
            late |= self._assembly.missing
            self._for_parts.stop()
        if self._round and self._for_pieces.over(self.now):
            late |= {number for _, number in self._round.missing}
            self._for_pieces.stop()
        return self._fault(*late - {self.number})

    def _of_round(self, message: exchange.Part | exchange.Piece, event: Said, current: _Round) -> list[Action]:
        if not self._fits(event, current):
            return self._fault(event.number)
        if isinstance(message, exchange.Piece):
            return self._piece(message, event, current)
        self._part(event)
        return []

    def _keep(self, event: Said) -> None:
        """Keep what is of a round to come, as much as one vector of each member, or a few small parts."""
        kept = self._early[event.number]
        size = sum(len(one.payload or b"") for one in [*kept, event])
        if len(kept) < MAX_PIECES and size <= FLOAT.itemsize * self.size:
            kept.append(event)

    def _fits(self, event: Said, current: _Round) -> bool:
        """Return whether a message has the right size for who sent it."""
        if event.number not in current.members or event.payload is None:
            return False
        whose = event.number if isinstance(event.message, exchange.Part) else self.number
        part = exchange.part(self.size, len(current.members), current.members.index(whose))
        return bool(len(event.payload) == FLOAT.itemsize * (part.stop - part.start))

    def _part(self, event: Said) -> None:
        """Take another's part of the parameters; with the last one they are whole."""
        made, current = self._assembly, self._round
        if made is None or current is None or made.round != current.number or event.number not in made.missing:
            return
        index = current.members.index(event.number)
        made.vector[exchange.part(self.size, len(current.members), index)] = np.frombuffer(event.payload or b"", FLOAT)
        made.missing.remove(event.number)
        if not made.missing:
            self._for_parts.end(self.now)
            self._assembly, self._whole = None, Whole(made.work, made.vector.data.cast("B"), in_parts=True)

    def summed(self, work: m.Work, block: tree.Block, gradient: Vector) -> list[Action]:
        """Send each other member its part of the sums of a block."""
        current = self._round
        if current is None or current.number != work.round:
            return []
        own, count = current.members.index(self.number), len(current.members)
        piece = exchange.Piece(self._session, work.round, *block)
        order = [*range(own + 1, count), *range(own)]
        out: list[Action] = [
            Tell(current.members[i], piece, gradient[exchange.part(self.size, count, i)].tobytes()) for i in order
        ]
        kept = gradient[exchange.part(self.size, count, own)].copy()
        return [*out, *self._put((block, self.number), kept, current)]

    def _piece(self, piece: exchange.Piece, event: Said, current: _Round) -> list[Action]:
        """Take another's piece, the first for its block."""
        block = piece.start, piece.stop
        if (block, event.number) in current.pieces or not tree.is_block(block, current.total):
            return []
        current.kept[event.number] += 1
        if current.kept[event.number] > MAX_PIECES:
            return []
        return self._put((block, event.number), np.frombuffer(event.payload or b"", FLOAT), current)

    def _put(self, key: Key, vector: Vector, current: _Round) -> list[Action]:
        current.pieces[key] = vector
        current.missing.discard(key)
        return self._sum(current)

    def _add(self, message: exchange.Add, payload: m.Frame | None) -> list[Action]:
        """Learn which answers count."""
        current = self._round
        if current is None or message.round != current.number:
            return []
        current.wanted = exchange.answers_of(payload)
        current.missing = set(current.wanted) - current.pieces.keys()
        self._for_pieces.begin(self.now)
        return self._sum(current)

    def _sum(self, current: _Round) -> list[Action]:
        """Add up what counts, if it is all here."""
        if current.wanted is None or current.missing:
            return []
        self._for_pieces.end(self.now)
        sums = current.added(current.wanted)
        current.wanted = None
        current.pieces.clear()
        return [Send(exchange.Sum(self._session, current.number), sums)]
