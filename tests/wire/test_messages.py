"""The wire format: every message survives it, and nothing that comes in raises anything but ProtocolError."""

import math
import random
import struct
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from enum import IntEnum
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ProtocolError
from engine.wire import exchange, relays
from engine.wire import messages as m
from engine.wire.tracebacks import TRACEBACK_LIMIT, failed, traceback_of

COUNTS = st.integers(0, 2**53 - 1)


def texts(limit: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="ascii"), max_size=limit)


REALS = st.floats()
SECONDS = st.floats(0, 1e12)
STRATEGIES: dict[type[m.Message], list[st.SearchStrategy[Any]]] = {
    m.Hello: [texts(64), st.integers(0, 2**32), texts(512), texts(64), texts(160), texts(40)],
    m.Welcome: [texts(32), texts(96), COUNTS],
    m.Refuse: [texts(600)],
    m.Ready: [texts(32), texts(64), texts(64), st.integers(0, 4096)],
    relays.Process: [
        *(texts(32), COUNTS, st.integers(0, 2**32), texts(200), st.integers(0, 4096), texts(64), COUNTS),
    ],
    relays.Place: [texts(32), texts(100), texts(64), st.integers(0, 4096), st.integers(0, 1)],
    relays.Seat: [texts(32), texts(100), texts(64), COUNTS],
    relays.Invite: [texts(32), texts(64), COUNTS],
    relays.Credit: [texts(32), *[COUNTS] * 4],
    m.Work: [texts(32), COUNTS, COUNTS, st.sampled_from(m.WorkKind), *[COUNTS] * 8],
    m.Result: [texts(32), *[COUNTS] * 4, REALS, COUNTS, SECONDS, SECONDS, *[COUNTS] * 3],
    m.Fetch: [texts(32), COUNTS],
    m.Chunk: [texts(32), COUNTS, COUNTS],
    m.Failed: [texts(32), texts(700)],
    m.Ping: [texts(32)],
    m.Goodbye: [texts(32), texts(200)],
    m.Stop: [texts(32), texts(200)],
    m.Arrived: [texts(32), COUNTS, COUNTS],
    exchange.Meet: [texts(32), COUNTS, texts(100), texts(64)],
    exchange.Met: [texts(32), COUNTS, st.integers(0, 1)],
    exchange.Fault: [texts(32), COUNTS],
    exchange.Piece: [texts(32), *[COUNTS] * 3],
    exchange.Roster: [texts(32), COUNTS],
    exchange.Add: [texts(32), COUNTS],
    exchange.Sum: [texts(32), COUNTS],
    exchange.Link: [texts(32), COUNTS],
    exchange.Part: [texts(32), COUNTS],
}
MESSAGES = st.one_of([st.builds(kind, *values) for kind, values in STRATEGIES.items()])
TEXTS = {"session": 32, "host": 64, "numerics": 512, "token": 64, "name": 96, "schema": 64, "reason": 200, "error": 700}
TEXTS |= {"libraries": 160, "proof": 64, "place": 40, "address": 100, "key": 64}
COUNTED = (
    "round",
    "attempt",
    "step",
    "start",
    "stop",
    "total",
    "version",
    "slot",
    "sums",
    "formed",
    "correct",
    "offset",
    "number",
    "nonce",
    "via",
    "roster",
)
SECONDS_FIELDS = {"seconds": 10**12, "cpu": 10**12}
LIMITS = TEXTS | dict.fromkeys(COUNTED, 2**53 - 1) | SECONDS_FIELDS | {"pid": 2**32, "processes": 4096, "joined": 4096}
LIMITS |= {"tree": 1, "reached": 1}
OWN_LIMITS: dict[type[m.Message], dict[str, int]] = {m.Refuse: {"reason": 600}}
VERSION = bytes([m.VERSION])  # as msgpack has a small number
EXAMPLES: list[m.Message] = [
    m.Hello("box", 77, "numpy 2", libraries="numba 1"),
    m.Welcome("s", "box:77", 9),
    m.Refuse("no"),
    m.Ready("s", "ab" * 32, "cd" * 32),
    relays.Process("s", 1, 77),
    relays.Place("s", "tcp://10.0.0.1:5555", "ab" * 32),
    relays.Seat("s"),
    relays.Invite("s", "ab" * 32),
    relays.Credit("s", 1, 2, 3, 4),
    m.Work("s", 1, 2, m.WorkKind.TRAIN, 4, 5, 6, 7, 8),
    m.Result("s", 1, 2, 3, 4, 0.5, 6, 0.25, 0.125),
    m.Fetch("s", 1),
    m.Chunk("s", 1, 2),
    m.Failed("s", "Traceback"),
    m.Ping("s"),
    m.Goodbye("s", "tired"),
    m.Stop("s", "done"),
    m.Arrived("s", 1, 2),
    exchange.Meet("s", 1, "tcp://10.0.0.1:5555", "ab" * 32),
    exchange.Met("s", 1, 1),
    exchange.Roster("s", 1),
    exchange.Add("s", 1),
    exchange.Sum("s", 1),
    exchange.Link("s", 1),
    exchange.Part("s", 1),
    exchange.Piece("s", 1, 2, 3),
    exchange.Fault("s", 1),
]


def packed(message: m.Message) -> list[Any]:
    """The fields of a message as they travel, by a decoder that is not ours."""
    values: list[Any] = msgpack.unpackb(m.encode(message)[0])
    return values


def refused(*frames: bytes, match: str | None = None) -> None:
    with pytest.raises(ProtocolError, match=match):
        m.decode(frames)


def header(*values: object) -> bytes:
    return bytes(msgpack.packb(list(values)))


def test_there_is_a_strategy_and_an_example_for_every_message() -> None:
    assert set(STRATEGIES) == set(m.MESSAGES.values()) == {type(message) for message in EXAMPLES}
    assert all(kind.opcode == opcode for opcode, kind in m.MESSAGES.items())


def same(a: m.Message, b: m.Message) -> bool:
    """Equal, nan counting as equal to itself."""
    return type(a) is type(b) and repr(asdict(a)) == repr(asdict(b))


@given(MESSAGES, st.none() | st.binary(max_size=64))
def test_round_trip(message: m.Message, payload: bytes | None) -> None:
    frames = m.encode(message, payload)
    assert len(frames[0]) <= m.HEADER_LIMIT
    for form in (bytes, bytearray, memoryview):
        decoded, rest = m.decode([form(frame) for frame in frames])
        assert same(decoded, message)
        assert rest == payload


def test_the_bytes_of_a_header_do_not_change_by_accident() -> None:
    """Peers of one protocol version must agree: whoever changes this changes VERSION, too."""
    work = m.encode(m.Work("ab", 1, 2, m.WorkKind.VALIDATE, 300, 4, 5, 6, 70000, 8, 9, 10))[0]
    assert work == b"\x9e" + VERSION + b"\x05\xa2ab\x01\x02\x01\xcd\x01\x2c\x04\x05\x06\xce\x00\x01\x11\x70\x08\x09\x0a"
    result = m.encode(m.Result("", 1, 2, 3, 4, -0.5, 6, 0.0, 1.0, 7, 8, 9))[0]
    doubles = [b"\xcb" + struct.pack(">d", x) for x in (-0.5, 0.0, 1.0)]
    assert (
        result
        == b"\x9e"
        + VERSION
        + b"\x06\xa0\x01\x02\x03\x04"
        + doubles[0]
        + b"\x06"
        + doubles[1]
        + doubles[2]
        + b"\x07\x08\x09"
    )


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda x: type(x).__name__)
def test_the_limits_of_fields(message: m.Message) -> None:
    """A value at the limit travels, one beyond it is refused, by sender and receiver."""
    names = {f.name for f in fields(message)}
    limits = {name: limit for name, limit in LIMITS.items() if name in names} | OWN_LIMITS.get(type(message), {})
    assert names == limits.keys() | ({"kind", "loss"} & names)
    for name, limit in limits.items():
        most: object = "x" * limit if name in TEXTS else limit
        beyond: object = "x" * (limit + 1) if name in TEXTS else limit + 1
        if name in SECONDS_FIELDS:
            most, beyond = float(limit), math.nextafter(limit, math.inf)
        good = replace(message, **{name: most})
        assert m.decode(m.encode(good))[0] == good
        values = [beyond if f.name == name else getattr(message, f.name) for f in fields(message)]
        refused(header(m.VERSION, message.opcode, *values), match=rf"{type(message).__name__}.{name} ")


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda x: type(x).__name__)
def test_wrong_fields(message: m.Message) -> None:
    version, opcode, *values = packed(message)
    name = type(message).__name__
    refused(header(version, opcode, *values[:-1]), match=f"{name} has {len(values)} fields, got {len(values) - 1}")
    refused(header(version, opcode, *values, 0), match=f"got {len(values) + 1}")
    for i, f in enumerate(fields(message)):
        kind, limit = f.metadata["type"], f.metadata["limit"]
        travels_as = int if issubclass(kind, IntEnum) else kind
        for wrong in ("x", 1, 1.5, None, True, [], [1], {}, {"a": 1}):
            if type(wrong) is not travels_as:
                refused(
                    header(version, opcode, *values[:i], wrong, *values[i + 1 :]),
                    match=f"{name}.{f.name} must be {travels_as.__name__}, got",
                )
        ranges: dict[type, Callable[[Any], list[object]]] = {
            str: lambda limit: ["x" * (limit + 1)],
            int: lambda limit: [-1, limit + 1, 2**64 - 1],
            m.WorkKind: lambda limit: [-1, 2, 2**64 - 1],
            float: lambda limit: [] if limit is None else [-0.1, 2 * limit, float("nan"), float("inf")],
        }
        for value in ranges[kind](limit):
            refused(header(version, opcode, *values[:i], value, *values[i + 1 :]), match=rf"{name}.{f.name} ")
            with pytest.raises(ProtocolError):
                replace(message, **{f.name: value})


@pytest.mark.parametrize(
    ("text", "whole", "last"),
    [
        ("", "", ""),
        ("one line", "one line", "one line"),
        ("a\n b\nE: \N{SNOWMAN}\udcff\n", "a\n b\nE: \N{SNOWMAN}\\udcff\n", r"E: \u2603\udcff"),
        ("x\n" * 100_000, "x\n" * (TRACEBACK_LIMIT // 2), "x"),
    ],
)
def test_a_traceback_travels_whole_or_its_end_does(text: str, whole: str, last: str) -> None:
    message, payload = m.decode(m.encode(*failed("s", text)))
    assert message == m.Failed("s", last)
    assert traceback_of(message, payload) == whole


def test_a_traceback_that_is_cut_within_a_character_too_long_or_missing() -> None:
    message, payload = failed("s", "\N{SNOWMAN}" * TRACEBACK_LIMIT)
    assert traceback_of(message, payload).endswith("\N{SNOWMAN}" * (TRACEBACK_LIMIT // 3))
    assert traceback_of(m.Failed("s", "an old worker"), None) == "an old worker"
    with pytest.raises(ProtocolError, match="a traceback of 16385 bytes, at most 16384 are allowed"):
        traceback_of(message, bytes(TRACEBACK_LIMIT + 1))


def test_wrong_version_and_opcode() -> None:
    other = m.VERSION + 1
    said = f"speaks protocol version {other}, this one {m.VERSION}; install the same gradsum"
    refused(header(other, 8, "s"), match=said)
    for opcode in (0, 99, -1, 2**63):
        refused(header(m.VERSION, opcode, "s"), match=f"no message has opcode {opcode}")
    pairs: list[tuple[object, object]] = [(m.VERSION, "8"), (m.VERSION, [])]
    pairs += [(version, 8) for version in (str(m.VERSION), None, float(m.VERSION), True)]
    for version, code in pairs:
        refused(header(version, code, "s"), match="starts with version and opcode")


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", {}, {"a": 1}, [], [1]])
def test_a_header_that_is_no_list(value: object) -> None:
    refused(bytes(msgpack.packb(value)), match="a list that starts with version and opcode")


def test_wrong_number_of_frames() -> None:
    refused(match="got 0")
    refused(header(m.VERSION, 8, "s"), b"", b"", match="got 3")


def test_oversize() -> None:
    refused(b"\xc0" * (m.HEADER_LIMIT + 1), match="at most 1024 bytes, got 1025")
    with pytest.raises(ProtocolError, match=r"the header of Refuse has 18\d\d bytes, 1024 at most"):
        m.encode(m.Refuse("\N{SNOWMAN}" * 600))
    long = m.clip("\N{SNOWMAN}\udce4" * 600, 600)
    assert m.decode(m.encode(m.Refuse(long)))[0] == m.Refuse(long)
    assert m.clip("abc", 2) == "bc"


NASTY = {
    "empty": b"",
    "never used": b"\xc1",
    "truncated list": b"\x93\x01",
    "more than one value": b"\x01\x02",
    "huge array": b"\xdd\xff\xff\xff\xff",
    "huge map": b"\xdf\xff\xff\xff\xff",
    "huge text": b"\xdb\xff\xff\xff\xff",
    "huge binary": b"\xc6\xff\xff\xff\xff",
    "huge extension": b"\xc9\xff\xff\xff\xff\x01",
    "many huge arrays": b"\xdc\x0f\xff" * 341,
    "deep lists": b"\x91" * 1024,
    "deep maps": b"\x81\x01" * 512,
    "binary": b"\x91\xc4\x01a",
    "extension": b"\x91\xd4\x05a",
    "timestamp": b"\x91\xd6\xff\x00\x00\x00\x00",
    "bad timestamp": b"\x91\xd7\xff" + b"\xff" * 8,
    "a list as key": b"\x81\x90\x01",
    "a number as key": b"\x81\x01\x01",
    "bad UTF-8": b"\x93" + VERSION + b"\x08\xa1\xff",
    "surrogate": b"\x93" + VERSION + b"\x08\xa3\xed\xb3\xa4",
    "a list in a list": b"\x92" + VERSION + b"\x91\x08",
}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_headers(name: str) -> None:
    refused(NASTY[name])
    with pytest.raises(ProtocolError):
        m.decode([NASTY[name], b"payload"])


def mutate(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data) + 1)
        change: Callable[[], None] = rng.choice(
            [
                lambda place=place: data.insert(place, rng.randrange(256)),
                lambda place=place: data.__setitem__(slice(place, place + 1), bytes([rng.randrange(256)])),
                lambda place=place: data.__delitem__(slice(place, place + rng.randint(1, 5))),
                lambda place=place: data.__setitem__(slice(place, place), data[: rng.randrange(20)]),
            ]
        )
        change()
    return bytes(data)


def test_twenty_thousand_mutated_and_random_headers() -> None:
    rng = random.Random(20)
    valid = [m.encode(message)[0] for message in EXAMPLES]
    counts = {True: 0, False: 0}
    for number in range(20_000):
        soup = rng.randbytes(rng.randrange(1, 60)) if number % 4 == 0 else mutate(bytearray(rng.choice(valid)), rng)
        try:
            message, _ = m.decode([soup])
        except ProtocolError:
            counts[False] += 1
            continue
        counts[True] += 1
        assert same(m.decode(m.encode(message))[0], message)
    assert min(counts.values()) > 400, "the mutations should leave some headers good"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), x, max_size=4),
    max_leaves=6,
)


@settings(max_examples=100)
@given(st.integers(0, len(EXAMPLES) + 3), st.lists(PLAIN, max_size=6))
def test_well_formed_msgpack_that_means_nothing(opcode: int, values: list[object]) -> None:
    try:
        message, _ = m.decode([header(m.VERSION, opcode, *values)])
    except ProtocolError:
        return
    assert repr(packed(message)[2:]) == repr(values)


LONG = {
    "as many items as there may be": (list(range(4096)), list(range(4097))),
    "as many entries as there may be": ({str(n): n for n in range(4096)}, {str(n): n for n in range(4097)}),
    "as long a text as there may be": ("x" * m.JOB_LIMIT, "x" * (m.JOB_LIMIT + 1)),
}


@pytest.mark.parametrize("name", LONG)
def test_the_limits_of_plain_data(name: str) -> None:
    most, beyond = LONG[name]
    assert m.unpack(m.pack(most)) == most
    with pytest.raises(ProtocolError, match="not valid msgpack"):
        m.unpack(m.pack(beyond))


@pytest.mark.parametrize("value", [b"\x00", msgpack.ExtType(5, b"a"), msgpack.Timestamp(0)])
def test_what_is_not_plain_data_is_refused(value: object) -> None:
    for inside in (value, [value], {"a": value}, {"a": [1, value]}):
        with pytest.raises(ProtocolError, match="not valid msgpack"):
            m.unpack(msgpack.packb(inside))


def test_jobs_are_packed_within_limits() -> None:
    plain = {"a": [1, 2.5, "x", None, True], "b": {"c": []}}
    assert m.unpack(m.pack(plain)) == plain
    assert m.unpack(memoryview(m.pack("x" * 5000))) == "x" * 5000
    for bad in (m.pack({1: 2}), m.pack(list(range(5000))), m.pack(b"binary"), m.pack(plain)[:-1], m.pack(plain) + b"x"):
        with pytest.raises(ProtocolError, match="not valid msgpack"):
            m.unpack(bad)


PARTS = st.builds(relays.Contribution, COUNTS, COUNTS, SECONDS, SECONDS)


@given(st.lists(PARTS, max_size=5))
def test_what_processes_contributed_survives_the_wire(parts: list[relays.Contribution]) -> None:
    assert relays.credits_of(relays.pack_credits(parts)) == parts


@pytest.mark.parametrize(
    "said", [7, [7], [[1, 2, 3.0]], [[1, 2, 3.0, "4"]], [[1, -2, 3.0, 4.0]], [[1, 2, 3.0, 1e13]], [[True, 2, 3.0, 4.0]]]
)
def test_contributions_that_cannot_be(said: object) -> None:
    with pytest.raises(ProtocolError):
        relays.credits_of(m.pack(said))
    with pytest.raises(ProtocolError):
        relays.credits_of(None)
    with pytest.raises(ProtocolError):
        relays.credits_of(m.pack([[1, 2, 3.0, 4.0]] * (m.MOST_PROCESSES + 1)))
