"""Messages as packets: what arrives, what is refused, and that a full queue makes nobody wait."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProtocolError
from engine.wire import packets
from engine.wire.dialers import local_address
from engine.wire.messages import HEADER_LIMIT
from tests.support.cluster import descriptors

pytestmark = pytest.mark.skipif(not packets.has_packets(), reason="this system has no sockets of packets")

LARGEST = 3 * packets.LARGEST_BEHIND
Pair = tuple[socket.socket, socket.socket]


def pair() -> Pair:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


@pytest.fixture
def ends() -> Iterator[Pair]:
    here, there = pair()
    with here, there:
        yield here, there


def test_which_address_local_workers_get() -> None:
    assert local_address(Path("/a/b")) == "unix:///a/b"
    assert local_address(Path("/a/b"), "zmq") == "ipc:///a/b"


@given(
    st.binary(min_size=1, max_size=HEADER_LIMIT),
    st.none() | st.binary(max_size=100) | st.integers(0, 3).map(lambda more: bytes(packets.LARGEST_BEHIND + more - 1)),
)
def test_a_message_arrives_as_it_was_sent(header: bytes, payload: bytes | None) -> None:
    here, there = pair()
    with here, there:
        sent = [header] if payload is None else [header, payload]
        packets.send(here, sent)
        received = packets.receive(there, LARGEST)
        assert received is not None
        assert [bytes(frame) for frame in received] == sent
        assert all(memoryview(frame).readonly for frame in received)


def test_the_end_comes_after_all_that_was_sent(ends: Pair) -> None:
    here, there = ends
    packets.send(there, [b"unread"])
    for word in (b"one", b"two"):
        packets.send(here, [word])
    here.close()
    assert [packets.receive(there, LARGEST) for _ in range(3)] == [[b"one"], [b"two"], None]


def test_nothing_is_there_yet(ends: Pair) -> None:
    with pytest.raises(BlockingIOError):
        packets.receive(ends[0], LARGEST)


@pytest.mark.parametrize("size", [10, 2 * packets.LARGEST_BEHIND])
def test_a_full_queue_is_an_error_and_not_a_wait(ends: Pair, size: int) -> None:
    before = descriptors()
    with pytest.raises((BlockingIOError, OSError)):
        for _ in range(100_000):
            packets.send(ends[0], [b"header", bytes(size)])
    assert descriptors() == before


@pytest.mark.parametrize(
    "packet",
    [
        b"\0",
        packets.HEAD.pack(packets.NO_PAYLOAD, 1) + b"header",
        packets.HEAD.pack(packets.IN_FILE, 6) + b"header",
        packets.HEAD.pack(9, 6) + b"header",
        bytes(packets.SIZE + 1),
    ],
)
def test_what_is_no_message(ends: Pair, packet: bytes) -> None:
    ends[0].send(packet)
    with pytest.raises(ProtocolError):
        packets.receive(ends[1], LARGEST)


@pytest.mark.parametrize("size", [LARGEST + 1, packets.LARGEST_BEHIND])
def test_a_payload_that_is_too_large(ends: Pair, size: int) -> None:
    packets.send(ends[0], [b"header", bytes(size)])
    with pytest.raises(ProtocolError, match=r"large|at most"):
        packets.receive(ends[1], size - 1)


def test_a_file_that_is_none_and_more_files_than_one(ends: Pair) -> None:
    here, there = ends
    before = descriptors()
    reading, writing = os.pipe()
    head = packets.HEAD.pack(packets.IN_FILE, 1)
    socket.send_fds(here, [head, b"h"], [reading])
    socket.send_fds(here, [head, b"h"], [reading, reading, reading])
    os.close(reading)
    os.close(writing)
    for _ in range(2):
        with pytest.raises(ProtocolError):
            packets.receive(there, LARGEST)
    assert descriptors() == before
