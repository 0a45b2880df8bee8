"""Messages that are almost right, and some that are nothing like it: copies of real ones, mutated by a seed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import msgpack

from engine.errors import ProtocolError
from engine.wire import messages as m

Change = Callable[[random.Random, list[bytes], Sequence[Sequence[bytes]]], list[bytes]]

# Values that a field, or the header itself, is replaced with: the ends of every type, and what is none of them.
VALUES: list[Any] = [
    *(0, -1, 127, 128, 1 << 31, (1 << 53) - 1, 1 << 53, (1 << 64) - 1, -(1 << 63)),
    *(0.0, -0.0, -1.5, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", "x", "\0", "\N{SNOWMAN}" * 20, "x" * 900, b"", b"bytes", None, True, False),
    *([], {}, [[[[]]]], {"key": [1]}, {1: 2}, [0] * 300, msgpack.ExtType(5, b"ext"), msgpack.Timestamp(1)),
]
# Beginnings that promise more than follows: 4 Gi items, bytes, characters; and a deep nest of lists.
PROMISES = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\x91" * 1000,
]


def example(kind: type[m.Message], session: str = "0" * 32) -> m.Message:
    """Return a message of `kind` whose fields are in range."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        wanted, limit = field.metadata["type"], field.metadata["limit"]
        values[field.name] = "abc"[: int(limit)] if wanted is str else wanted(min(3, 1 if limit is None else limit))
    if "session" in values:
        values["session"] = session
    return kind(**values)


def corpus(session: str = "0" * 32, payload: bytes = bytes(64)) -> list[list[bytes]]:
    """Return a message of every kind, with and without a payload."""
    examples = [example(kind, session) for kind in m.MESSAGES.values()]
    return [[bytes(f) for f in m.encode(one, load)] for one in examples for load in (None, payload)]


def mutate(rng: random.Random, frames: Sequence[bytes], others: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Return a changed copy of `frames`; `others` are messages that parts may be taken from."""
    changed = list(frames)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        changed = rng.choice(CHANGES)(rng, changed, others)
    return changed


def _flip(rng: random.Random, frames: list[bytes], _: Sequence[Sequence[bytes]]) -> list[bytes]:
    return _edit(rng, frames, lambda data: _with(data, rng.randrange(max(len(data), 1)), 1 << rng.randrange(8)))


def _with(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes(byte ^ bit for byte in data[place : place + 1]) + data[place + 1 :]


def _cut(rng: random.Random, frames: list[bytes], _: Sequence[Sequence[bytes]]) -> list[bytes]:
    return _edit(rng, frames, lambda data: data[: rng.randrange(len(data) + 1)])


def _insert(rng: random.Random, frames: list[bytes], _: Sequence[Sequence[bytes]]) -> list[bytes]:
    more = rng.choice([rng.randbytes(rng.randrange(1, 40)), rng.choice(PROMISES)])
    place = rng.randrange(len(frames[0]) + 1) if frames else 0
    return _edit(rng, frames, lambda data: data[:place] + more + data[place:])


def _splice(rng: random.Random, frames: list[bytes], others: Sequence[Sequence[bytes]]) -> list[bytes]:
    other = rng.choice(others)[0]
    return _edit(rng, frames, lambda data: data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :])


def _value(rng: random.Random, frames: list[bytes], _: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Replace a field, add one, or leave one out, the rest of the header being right."""
    try:
        header = m.unpack(frames[0])
    except (IndexError, ProtocolError):
        return frames
    if not isinstance(header, list) or not header:
        return [msgpack.packb(rng.choice(VALUES)), *frames[1:]]
    place = rng.randrange(len(header))
    header[place : place + rng.randrange(2)] = [rng.choice(VALUES)] * rng.choice((0, 1, 1, 1, 2))
    return [msgpack.packb(header), *frames[1:]]


def _frames(rng: random.Random, frames: list[bytes], others: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Repeat, drop, reverse or add frames."""
    more = [rng.randbytes(rng.randrange(100))]
    return rng.choice(
        [frames * 2, frames[1:], frames[::-1], frames + more, more, [*frames, *rng.choice(others)], [b""]]
    )


def _random(rng: random.Random, *_: object) -> list[bytes]:
    return [rng.randbytes(rng.randrange(200)) for _ in range(rng.randrange(1, 4))]


CHANGES: list[Change] = [_flip, _cut, _insert, _splice, _value, _value, _value, _frames, _random]


def _edit(rng: random.Random, frames: list[bytes], change: Any) -> list[bytes]:
    """Apply `change` to one of the frames, mostly the header."""
    if not frames:
        return frames
    place = rng.choice((0, 0, 0, len(frames) - 1))
    return [change(data) if number == place else data for number, data in enumerate(frames)]
