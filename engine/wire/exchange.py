"""What relays say to each other, and to their coordinator, in an exchange: each adds up one part of the vector for all.

The coordinator decides who is a member, and who connects to whom. A member is known by a number; the members of a round
are in the order of a roster, and the vector is cut into as many parts, the first of which is the first one's.

    relay                       coordinator
               <-------------   SEAT        (of `relays`) your number
               <-------------   INVITE      (of `relays`) the relay with this number and key will connect to you
               <-------------   MEET        connect to that relay; or, without an address, it has left
    MET        ------------->               it was reached; or it cannot be, or is not any more: by who connected
               <-------------   ROSTER      who is in the exchanges that have this number (payload)
               <-------------   WORK        with the number of a roster; payload: a part of the parameters
    RESULT     ------------->               of a block, without a payload: others have its parts
               <-------------   ADD         these answers count (payload)
    FAULT      ------------->               nothing came in time from that relay, or nothing fits; or sending failed
    SUM        ------------->               a part of the sums (payload)

    relay                       relay
    LINK       <------------>               this is my number
    PART       ------------->               of the parameters, the one that I was sent
    PIECE      ------------->               of the sums of a block, the part that you add up
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.errors import ProtocolError
from engine.wire.fields import count, session_id, text
from engine.wire.messages import Frame, Message
from engine.wire.relays import ADDRESS_LIMIT, KEY, FromRelay

NUMBER = np.dtype("<u4")  # of members, and of micro-batches, in payloads
MOST_MICROBATCHES = (1 << 32) - 1  # in a round, so that where a block ends is such a number

Answer = tuple[tuple[int, int], int]  # a block, and the number of the member that computed it


class ToMember:
    """What only members are told by their coordinator; all of it is of a session."""

    session: str


@dataclass(frozen=True)
class Meet(ToMember, Message):
    """Connect to the relay `number` at `address`, of public key `key` (hex); without an address: it has left."""

    opcode: ClassVar[int] = 19
    session: str = session_id()
    number: int = count()
    address: str = text(ADDRESS_LIMIT, default="")
    key: str = text(KEY, default="")


@dataclass(frozen=True)
class Met(FromRelay, Message):
    """There is a connection to the relay `number`, if it was `reached`; otherwise there is none, or none any more."""

    opcode: ClassVar[int] = 20
    session: str = session_id()
    number: int = count()
    reached: int = count(1)


@dataclass(frozen=True)
class Fault(FromRelay, Message):
    """Nothing came in time from the relay `number`, or nothing that fits, or it could not be sent to."""

    opcode: ClassVar[int] = 27
    session: str = session_id()
    number: int = count()


@dataclass(frozen=True)
class Roster(ToMember, Message):
    """From now on this is the roster `roster`; payload: the numbers of its members, as `pack_members`."""

    opcode: ClassVar[int] = 21
    session: str = session_id()
    roster: int = count()


@dataclass(frozen=True)
class Add(ToMember, Message):
    """All blocks of the round have been answered; payload: the answers that count, as `pack_answers`."""

    opcode: ClassVar[int] = 22
    session: str = session_id()
    round: int = count()


@dataclass(frozen=True)
class Sum(FromRelay, Message):
    """The sender's part (payload) of the gradient of each block that those of ADD make, in order, one after another."""

    opcode: ClassVar[int] = 23
    session: str = session_id()
    round: int = count()


@dataclass(frozen=True)
class Link(Message):
    """The sender is the relay `number`."""

    opcode: ClassVar[int] = 24
    session: str = session_id()
    number: int = count()


@dataclass(frozen=True)
class Part(Message):
    """The sender's part of the parameters of a round (payload)."""

    opcode: ClassVar[int] = 25
    session: str = session_id()
    round: int = count()


@dataclass(frozen=True)
class Piece(Message):
    """The part of the gradient of a block that the receiver adds up (payload)."""

    opcode: ClassVar[int] = 26
    session: str = session_id()
    round: int = count()
    start: int = count()
    stop: int = count()


def part(size: int, members: int, index: int) -> slice:
    """Return which numbers of a vector of `size` are the part of one of so many members."""
    return slice(size * index // members, size * (index + 1) // members)


def pack_members(numbers: Iterable[int]) -> bytes:
    """Return the payload of a ROSTER."""
    return np.fromiter(numbers, NUMBER).tobytes()


def members_of(payload: Frame | None) -> tuple[int, ...]:
    """Return the numbers in the payload of a ROSTER; ProtocolError if it is none."""
    return tuple(_numbers(payload, 1)[:, 0].tolist())


def pack_answers(answers: Iterable[Answer]) -> bytes:
    """Return the payload of an ADD: blocks, and the number of the member whose answer counts."""
    return np.array([(*block, number) for block, number in answers], NUMBER).tobytes()


def answers_of(payload: Frame | None) -> list[Answer]:
    """Return the answers in the payload of an ADD; ProtocolError if it is none."""
    return [((start, stop), number) for start, stop, number in _numbers(payload, 3).tolist()]


def _numbers(payload: Frame | None, columns: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint32]]":
    if payload is None or len(payload) % (columns * NUMBER.itemsize):
        raise ProtocolError("the payload of a ROSTER or ADD is a list of numbers")
    return np.frombuffer(payload, NUMBER).reshape(-1, columns)
