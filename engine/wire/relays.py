"""What relays and their coordinator have to say besides; these messages are like all others.

PROCESS, after READY, says that a process has joined the relay, or left it; CREDIT, before a RESULT, which of them
computed its block (payload). Many relays exchange parts of vectors (`exchange`), or form a tree:

    relay                       coordinator
    PLACE      ------------->               before READY: where may I join, and this is where I could be joined
               <-------------   SEAT        join that relay; or, without an address, stay with me
    GOODBYE    ------------->               it was reached, and I join it; else READY follows
               <-------------   INVITE      to the relay that is joined: that one may come in
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from engine.errors import ProtocolError
from engine.system.processes import HOSTNAME_LIMIT
from engine.wire.fields import COUNT_LIMIT, SECONDS_LIMIT, count, session_id, text
from engine.wire.messages import MOST_PROCESSES, Frame, Message, pack, unpack

ADDRESS_LIMIT = 100  # characters
CREDITS_LIMIT = 1 << 17  # bytes of the payload of a CREDIT

KEY = 64  # characters of a public key in hex


class FromRelay:
    """What a relay tells its coordinator; all of it is of a session."""

    session: str


@dataclass(frozen=True)
class Process(FromRelay, Message):
    """Process `number` of a relay, with this `pid`, has joined it, or left for `reason`; now `processes` compute.

    It is on the machine `host`, or else on the relay's. It may be a relay itself, which has joined this one: `via` is
    the number of the one that it is a process of, 0 for the sender.
    """

    opcode: ClassVar[int] = 13
    session: str = session_id()
    number: int = count()
    pid: int = count(1 << 32)
    reason: str = text(200, default="")
    processes: int = count(MOST_PROCESSES, default=1)
    host: str = text(HOSTNAME_LIMIT, default="")
    via: int = count(default=0)


@dataclass(frozen=True)
class Place(FromRelay, Message):
    """A relay asks where to join. Others can reach it at `address`, with the public key `key`, in hex.

    `tree`: it joins one of these, or they join it; else it exchanges parts of vectors with them. `joined`: so many were
    invited to join it so far.
    """

    opcode: ClassVar[int] = 15
    session: str = session_id()
    address: str = text(ADDRESS_LIMIT)
    key: str = text(KEY)
    joined: int = count(MOST_PROCESSES, default=0)
    tree: int = count(1, default=0)


@dataclass(frozen=True)
class Seat(Message):
    """The answer: join the relay at `address`, which has the public key `key`; or, where that is "", the sender.

    `number`: what the receiver is called in exchanges; 0: it is in none.
    """

    opcode: ClassVar[int] = 16
    session: str = session_id()
    address: str = text(ADDRESS_LIMIT, default="")
    key: str = text(KEY, default="")
    number: int = count(default=0)


@dataclass(frozen=True)
class Invite(Message):
    """The relay with the public key `key`, in hex, is going to join this one; with a `number`: to connect to it."""

    opcode: ClassVar[int] = 17
    session: str = session_id()
    key: str = text(KEY)
    number: int = count(default=0)


@dataclass(frozen=True)
class Credit(FromRelay, Message):
    """Which processes of a relay computed the block of the RESULT that comes next; payload: as `pack_credits`."""

    opcode: ClassVar[int] = 14
    session: str = session_id()
    round: int = count()
    attempt: int = count()
    start: int = count()
    stop: int = count()


class Contribution(NamedTuple):
    """What process `number` did for a block: images, and seconds busy; `cpu`: seconds it has used in its stay."""

    number: int
    images: int
    seconds: float
    cpu: float


def pack_credits(contributions: Sequence[Contribution]) -> bytes:
    """Return the payload of a CREDIT: a list of contributions."""
    return pack([list(one) for one in contributions])


def credits_of(payload: Frame | None) -> list[Contribution]:
    """Return the contributions in the payload of a CREDIT; ProtocolError if it is none."""
    rows = None if payload is None else unpack(payload)
    if not isinstance(rows, list) or len(rows) > MOST_PROCESSES or not all(map(_is_contribution, rows)):
        raise ProtocolError("a CREDIT has a list of the processes that computed a block, and what they did")
    return [Contribution(*row) for row in rows]


def _is_contribution(row: object) -> bool:
    if not isinstance(row, list) or [type(value) for value in row] != [int, int, float, float]:
        return False
    return all(0 <= value <= limit for value, limit in zip(row, (COUNT_LIMIT,) * 2 + (SECONDS_LIMIT,) * 2, strict=True))
