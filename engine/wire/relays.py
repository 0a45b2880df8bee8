"""What a relay tells its coordinator of the processes that compute for it; these messages are like all others.

PROCESS, after READY, says that one of them has joined the relay, or left it; CREDIT, before a RESULT, which of them
computed its block (payload).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from engine.errors import ProtocolError
from engine.wire.fields import COUNT_LIMIT, SECONDS_LIMIT, count, text
from engine.wire.messages import MOST_PROCESSES, Frame, Message, pack, unpack


@dataclass(frozen=True)
class Process(Message):
    """Process `number` of a relay, with this `pid` on the relay's machine, has joined it, or left for `reason`."""

    opcode: ClassVar[int] = 13
    session: str = text(32)
    number: int = count()
    pid: int = count(1 << 32)
    reason: str = text(200, default="")


@dataclass(frozen=True)
class Credit(Message):
    """Which processes of a relay computed the block of the RESULT that comes next; payload: as `pack_credits`."""

    opcode: ClassVar[int] = 14
    session: str = text(32)
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
