"""The wire format: every message that travels between coordinator and worker; `relays` and `exchange` have more.

A message is one or two frames: a msgpack header of at most 1 KiB, `[VERSION, opcode, field, field, ...]`, and for some
a payload: raw little-endian bytes, msgpack (of a job, for example), or UTF-8. ProtocolError if anything is wrong.

    worker                      coordinator
    HELLO      ------------->               who I am, what my numbers depend on
               <-------------   WELCOME     the session, a nonce and the job (payload), or REFUSE with a reason
    FETCH      ------------->               the data from here on, please; only if they are not in the cache
               <-------------   CHUNK       a piece of the data (payload)
    READY      ------------->               model compiled, data at hand; what I compute with the nonce
               <-------------   WORK        a share of a round; payload: the parameters, unless it has them
    ARRIVED    ------------->               these parameters are here, so that others may be sent theirs
    RESULT     ------------->               the sums of one block; payload: the gradient, or the tally
    FAILED     ------------->               an exception; payload: its traceback
               <-------------   PING        is anybody there; no answer wanted
    GOODBYE    ------------->               leaving
               <-------------   STOP        the run is over
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar

import msgpack

from engine.errors import ProtocolError
from engine.system.processes import HOSTNAME_LIMIT, PLACE_LIMIT
from engine.wire.fields import Rules, choice, count, duration, member, real, session_id, text

VERSION = 5
HEADER_LIMIT = 1024  # bytes
JOB_LIMIT = 1 << 20  # bytes of a job's description
CHUNK_LIMIT = 1 << 20  # bytes of data in one message
MAX_ITEMS = 4096  # of a list or a table in plain data
MOST_PROCESSES = MAX_ITEMS  # of a relay, whose credits are one list
LIBRARIES_LIMIT = 160  # characters of what a worker's kernels are made by
REFUSAL_LIMIT = 600  # characters of why a worker may not join
REASON_LIMIT = 200  # characters of why a worker leaves, or a run is over
ERROR_LIMIT = 700  # characters of an exception without its traceback
NO_SLOT = 0  # on the wire, of a vector that is not in shared memory; slots count from 1

Frame = Any  # an object with the buffer protocol: bytes, memoryview, a frame of the transport
MESSAGES: dict[int, type["Message"]] = {}
_PACKER = msgpack.Packer()  # one for all: a new one begins by asking for memory


class WorkKind(IntEnum):
    """What a share is to be evaluated for."""

    TRAIN = 0  # the batch of the step
    VALIDATE = 1  # the validation part


@dataclass(frozen=True)
class Message:
    """Base of all messages; subclasses register by opcode."""

    opcode: ClassVar[int]

    def __init_subclass__(cls) -> None:
        MESSAGES[cls.opcode] = cls

    def __post_init__(self) -> None:
        rules, values = _rules(self.opcode), list(self.__dict__.values())
        if not rules.hold(values):
            rules.check(values)


@cache
def _rules(opcode: int) -> Rules:
    return Rules(MESSAGES[opcode])


@dataclass(frozen=True)
class Hello(Message):
    """A worker asks to join. `numerics`: the fingerprint of everything its bits depend on.

    `token` shows that it shares memory with the coordinator (see `shared_memory`), and which part of it is its own.
    `libraries` only explains a refusal: what its kernels are made by, and for which processor.
    `place`: what a launcher calls the place where it runs, such as "job 21_3".
    """

    opcode: ClassVar[int] = 1
    host: str = text(HOSTNAME_LIMIT)
    pid: int = count(1 << 32)
    numerics: str = text(512)
    token: str = text(64, default="")
    libraries: str = text(LIBRARIES_LIMIT, default="")
    place: str = text(PLACE_LIMIT, default="")


@dataclass(frozen=True)
class Welcome(Message):
    """The worker may join `session` as `name`; the payload describes the job. `nonce`: of which READY has a proof."""

    opcode: ClassVar[int] = 2
    session: str = session_id()
    name: str = text(96)
    nonce: int = count(default=0)


@dataclass(frozen=True)
class Refuse(Message):
    """The worker may not join, or said something wrong."""

    opcode: ClassVar[int] = 3
    reason: str = text(REFUSAL_LIMIT)


@dataclass(frozen=True)
class Ready(Message):
    """`schema`: digest of the worker's layout; `proof`: of what it makes of the nonce; `processes`: of a relay."""

    opcode: ClassVar[int] = 4
    session: str = session_id()
    schema: str = text(64)
    proof: str = text(64, default="")
    processes: int = count(MOST_PROCESSES, default=1)


@dataclass(frozen=True)
class Work(Message):
    """Evaluate micro-batches [start, stop) of `total`, and answer one RESULT a block.

    `version` names the parameters: those of the payload, or the ones the worker already holds, or else those in shared
    memory. `slot` is where in its part of shared memory the worker puts the gradient of the first block, the next
    block's behind it; NO_SLOT: into the payload. `sums` is where it may put the first sum that it forms of its blocks
    and those of others; NO_SLOT: it is to form none. `roster`: of the exchange in which the sums go, 0 if in none.
    """

    opcode: ClassVar[int] = 5
    session: str = session_id()
    round: int = count()
    attempt: int = count()
    kind: WorkKind = choice(WorkKind)  # noqa: RUF009 - a field, as those around it
    step: int = count()
    start: int = count()
    stop: int = count()
    total: int = count()
    version: int = count()
    slot: int = count(default=NO_SLOT)
    sums: int = count(default=NO_SLOT)
    roster: int = count(default=0)


@dataclass(frozen=True)
class Result(Message):
    """The sums over block [start, stop): loss, correct answers, and in training the gradient (payload).

    In validation the payload is the tally, numbers of 32 bits, if there is one. A gradient is in slot `slot` of the
    worker's part of shared memory unless that is NO_SLOT. `seconds` is how long it took to compute, `cpu` the processor
    seconds the worker has used in this stay, its start included if that is its first. `formed`: how many nodes above
    the block, from its parent on, the worker has added up as well: their gradients are in the places from `sums` on.
    """

    opcode: ClassVar[int] = 6
    session: str = session_id()
    round: int = count()
    attempt: int = count()
    start: int = count()
    stop: int = count()
    loss: float = real()
    correct: int = count()
    seconds: float = duration()
    cpu: float = duration()
    slot: int = count(default=NO_SLOT)
    sums: int = count(default=NO_SLOT)
    formed: int = count(default=0)


@dataclass(frozen=True)
class Failed(Message):
    """The worker could not do its work; `error` is the last line of the traceback, which is the payload, in UTF-8."""

    opcode: ClassVar[int] = 7
    session: str = session_id()
    error: str = text(ERROR_LIMIT)


@dataclass(frozen=True)
class Ping(Message):
    """Sent to find out whether a worker is still connected."""

    opcode: ClassVar[int] = 8
    session: str = session_id()


@dataclass(frozen=True)
class Goodbye(Message):
    """The worker leaves."""

    opcode: ClassVar[int] = 9
    session: str = session_id()
    reason: str = text(REASON_LIMIT)


@dataclass(frozen=True)
class Stop(Message):
    """The run is over."""

    opcode: ClassVar[int] = 10
    session: str = session_id()
    reason: str = text(REASON_LIMIT)


@dataclass(frozen=True)
class Fetch(Message):
    """The worker needs the job's data and has the first `offset` bytes."""

    opcode: ClassVar[int] = 11
    session: str = session_id()
    offset: int = count()


@dataclass(frozen=True)
class Chunk(Message):
    """The data from `offset` on, at most `CHUNK_LIMIT` bytes (payload), of a file of `total` bytes."""

    opcode: ClassVar[int] = 12
    session: str = session_id()
    offset: int = count()
    total: int = count()


@dataclass(frozen=True)
class Arrived(Message):
    """The parameters that came with a WORK have arrived."""

    opcode: ClassVar[int] = 18
    session: str = session_id()
    round: int = count()
    attempt: int = count()


def encode(message: Message, payload: Frame | None = None) -> list[Frame]:
    """Return the frames of `message`."""
    header = bytes(_PACKER.pack([VERSION, message.opcode, *message.__dict__.values()]))
    if len(header) > HEADER_LIMIT:
        raise ProtocolError(f"the header of {type(message).__name__} has {len(header)} bytes, {HEADER_LIMIT} at most")
    return [header] if payload is None else [header, payload]


def decode(frames: Sequence[Frame]) -> tuple[Message, Frame | None]:
    """Return the message in `frames` and its payload, if any; ProtocolError if it is not well formed."""
    if not 1 <= len(frames) <= 2:
        raise ProtocolError(f"a message has one or two frames, got {len(frames)}")
    if len(frames[0]) > HEADER_LIMIT:
        raise ProtocolError(f"a header has at most {HEADER_LIMIT} bytes, got {len(frames[0])}")
    header = unpack(frames[0])
    if not isinstance(header, list) or len(header) < 2 or type(header[0]) is not int or type(header[1]) is not int:
        raise ProtocolError("a header is a list that starts with version and opcode")
    if header[0] != VERSION:
        raise ProtocolError(
            f"the peer speaks protocol version {header[0]}, this one {VERSION}; install the same gradsum"
        )
    kind = MESSAGES.get(header[1])
    if kind is None:
        raise ProtocolError(f"no message has opcode {header[1]}")
    rules, values = _rules(kind.opcode), header[2:]
    if len(values) != len(rules.names):
        raise ProtocolError(f"{kind.__name__} has {len(rules.names)} fields, got {len(values)}")
    for i, name, choices in rules.choices:
        values[i] = member(kind, name, values[i], choices)
    if not rules.hold(values):
        rules.check(values)
    message = object.__new__(kind)  # it has been checked, so that it need not be made by way of __init__
    message.__dict__.update(zip(rules.names, values, strict=True))
    return message, frames[1] if len(frames) == 2 else None


def clip(text: str, limit: int) -> str:
    """Return the last `limit` characters of `text` in ASCII, so that it fits into a header."""
    return text.encode("ascii", "backslashreplace").decode()[-limit:]


def pack(value: Any) -> bytes:
    """Return plain data (dicts, lists, numbers, text) as msgpack."""
    return bytes(msgpack.packb(value))


def unpack(data: Frame) -> Any:
    """Return the plain data in `data`, within limits that keep memory bounded; ProtocolError if it is damaged."""
    limit = len(data)
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=min(limit, JOB_LIMIT),
            max_bin_len=0,
            max_ext_len=0,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"not valid msgpack: {error}") from None
