"""Real sockets, unix, ipc and TCP on this machine: what arrives, what is noticed, and that nothing stays behind."""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from engine.errors import SettingsError, WorkersError
from engine.wire import Dialer, Listener, Received, WorkerEndpoint, dialer_for, frame_of
from engine.wire.bound_socket import MESSAGES_PER_POLL
from tests.support.repository import ROOT
from tests.support.strangers import COMMAND, HANDSHAKE, frame

LARGEST = 100_000
PATIENCE = 20.0  # seconds for what should take milliseconds
# Says hello, and then nothing more until it is killed.
PEER = """
import sys
from engine.wire import dialer_for
d = dialer_for(sys.argv[1], 1000)
while not d.connected():
    d.poll(60)
d.send([b'hello'])
d.poll(60)
"""


@pytest.fixture(params=["unix", "ipc", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param != "tcp":
        return f"{request.param}://{tmp_path / 'socket'}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def listener(address: str) -> Iterator[Listener]:
    with Listener(address, LARGEST) as listener:
        yield listener


def dial(listener: Listener) -> WorkerEndpoint:
    """Return a dialer that has a connection."""
    dialer = dialer_for(listener.address, LARGEST)
    while not dialer.connected():
        assert listener.poll(0.01) == []
        assert dialer.poll(0.01) is None
    return dialer


@pytest.fixture
def dialer(listener: Listener) -> Iterator[WorkerEndpoint]:
    dialer = dial(listener)
    yield dialer
    dialer.close()


def receive(listener: Listener, count: int = 1) -> list[Received]:
    """Wait for this many messages."""
    received: list[Received] = []
    until = time.monotonic() + PATIENCE
    while len(received) < count:  # `poll` returns as well when a connection may have been lost
        received += listener.poll(max(0.0, until - time.monotonic()))
        assert len(received) >= count or time.monotonic() < until, "nothing came"
    return received


def frames(received: Received) -> list[bytes]:
    return [bytes(frame) for frame in received.frames]


def left_open() -> tuple[int, int]:
    """Number of file descriptors and of threads of this process."""
    gc.collect()  # what other tests have left
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


def assert_closed(before: tuple[int, int]) -> None:
    """Assert that what is open is what was; a thread that has ended is still counted for a moment."""
    deadline = time.monotonic() + PATIENCE
    while (now := left_open()) != before and time.monotonic() < deadline:
        pass
    assert now == before


def test_there_and_back(listener: Listener, dialer: WorkerEndpoint) -> None:
    dialer.send([b"header", b"payload"])
    (first,) = receive(listener)
    assert frames(first) == [b"header", b"payload"]
    assert listener.send(first.peer, [b"answer"])
    answer = dialer.poll(PATIENCE)
    assert answer is not None
    assert [bytes(frame) for frame in answer] == [b"answer"]
    assert not listener.lost_connections()


def test_peers_are_told_apart(listener: Listener, dialer: WorkerEndpoint) -> None:
    other = dial(listener)
    dialer.send([b"one"])
    other.send([b"two"])
    peers = {frames(received)[0]: received.peer for received in receive(listener, 2)}
    assert len(set(peers.values())) == 2
    assert listener.send(peers[b"two"], [b"for two"])
    assert listener.send(peers[b"one"], [b"for one"])
    for end, text in ((dialer, b"for one"), (other, b"for two")):
        answer = end.poll(PATIENCE)
        assert answer is not None
        assert bytes(answer[0]) == text
    other.close()


def test_one_snapshot_for_many(listener: Listener, dialer: WorkerEndpoint) -> None:
    vector = np.arange(20_000, dtype=np.float32)
    dialer.send([b"hello"])
    (hello,) = receive(listener)
    frame = frame_of(vector)
    vector[:] = -1  # the frame is a copy
    for _ in range(3):
        assert listener.send(hello.peer, [b"header", frame])
    for _ in range(3):
        answer = dialer.poll(PATIENCE)
        assert answer is not None
        assert np.frombuffer(answer[1], np.float32).tobytes() == np.arange(20_000, dtype=np.float32).tobytes()
        assert memoryview(answer[1]).readonly


def test_what_was_received_cannot_be_written(listener: Listener, dialer: WorkerEndpoint) -> None:
    dialer.send([b"small", bytes(50_000)])
    (received,) = receive(listener)
    assert all(memoryview(frame).readonly for frame in received.frames)


def test_a_poll_without_a_message_ends(listener: Listener, dialer: WorkerEndpoint) -> None:
    for timeout in (0.0, -1.0, 0.001, 0.02):
        assert listener.poll(timeout) == []
        assert dialer.poll(timeout) is None
    assert not listener.lost_connections()


@pytest.mark.parametrize("trusted", [False, True])
def test_a_flood_is_taken_in_pieces_and_in_order(listener: Listener, dialer: WorkerEndpoint, trusted: bool) -> None:
    total = 2 * MESSAGES_PER_POLL + 50
    dialer.send([b"hello"])
    (hello,) = receive(listener)
    if trusted:
        listener.trust(hello.peer)

    def send() -> None:
        for number in range(total):
            dialer.send([b"%d" % number])

    sender = Thread(target=send)  # it may have to wait, as packets do
    sender.start()
    if not listener.address.startswith("unix"):
        sender.join()
    sizes: list[int] = []
    numbers: list[int] = []
    while len(numbers) < total:
        some = listener.poll(PATIENCE)
        assert some
        sizes.append(len(some))
        numbers += [int(bytes(received.frames[0])) for received in some]
    sender.join()
    assert max(sizes) <= MESSAGES_PER_POLL
    assert numbers == list(range(total))


def test_nobody_is_there(listener: Listener) -> None:
    assert not listener.send(b"\0nobody", [b"x"])


def until_noticed(listener: Listener, gone: Callable[[], bool]) -> bool:
    """Poll as the coordinator does; return whether the loss was noticed within many polls."""
    for _ in range(500):
        listener.poll(0.25)
        if listener.lost_connections() and gone():
            return True
    return False


@pytest.mark.parametrize("attempt", range(3))
def test_a_peer_killed_with_9_is_noticed(
    address: str, listener: Listener, dialer: WorkerEndpoint, attempt: int
) -> None:
    """Even if ZeroMQ still takes a message for it at first: the loss is told of several times."""
    dialer.send([b"stays"])
    (stays,) = receive(listener)
    peer = subprocess.Popen([sys.executable, "-c", PEER, address], cwd=ROOT)
    try:
        (hello,) = receive(listener)
        assert listener.send(hello.peer, [b"are you there?"])
        assert not listener.lost_connections()
    finally:
        os.kill(peer.pid, signal.SIGKILL)
        peer.wait()
    assert until_noticed(listener, lambda: not listener.send(hello.peer, [b"x"]))
    assert listener.send(stays.peer, [b"x"])


def test_a_peer_that_hangs_up_is_noticed(listener: Listener) -> None:
    dialer = dial(listener)
    dialer.send([b"hello"])
    (hello,) = receive(listener)
    dialer.close()
    assert until_noticed(listener, lambda: not listener.send(hello.peer, [b"x"]))


def test_what_was_said_before_hanging_up_still_arrives(listener: Listener) -> None:
    dialer = dial(listener)
    dialer.send([b"goodbye", bytes(LARGEST)])
    dialer.close()
    (last,) = receive(listener)
    assert [len(frame) for frame in last.frames] == [7, LARGEST]


def test_an_oversize_message_ends_its_connection_and_no_other(listener: Listener, dialer: WorkerEndpoint) -> None:
    dialer.send([b"hello"])
    (honest,) = receive(listener)
    rude = dial(listener)
    rude.send([b"hello"])
    (hello,) = receive(listener)
    rude.send([b"header", bytes(LARGEST + 2000)])
    assert until_noticed(listener, lambda: not listener.send(hello.peer, [b"x"]))
    rude.close()
    dialer.send([b"still here", bytes(LARGEST)])
    (received,) = receive(listener)
    assert received.peer == honest.peer
    assert bytes(received.frames[0]) == b"still here"


@pytest.mark.parametrize("close_first", ["listener", "dialer"])
def test_nothing_stays_open(address: str, close_first: str) -> None:
    before = left_open()
    for _ in range(3):
        listener = Listener(address, LARGEST)
        dialer = dial(listener)
        dialer.send([b"hello"])
        (hello,) = receive(listener)
        listener.send(hello.peer, [b"x"])
        for end in (listener, dialer) if close_first == "listener" else (dialer, listener):
            end.close()
    assert_closed(before)


def test_a_descriptor_ends_the_poll(listener: Listener, dialer: WorkerEndpoint) -> None:
    reading, writing = os.pipe()
    dialer.watch(reading)
    os.close(writing)
    assert dialer.poll(PATIENCE) is None
    os.close(reading)


@pytest.mark.parametrize(
    "bad",
    [
        "unix:///no/such/folder/x",
        "unix://" + "x" * 200,
        "ipc:///no/such/folder/x",
        "tcp://127.0.0.1:notaport",
        "nonsense",
        "ipc://" + "x" * 200,
    ],
)
def test_an_address_that_cannot_be_bound(bad: str) -> None:
    before = left_open()
    with pytest.raises(WorkersError, match=f"cannot listen at {bad[:9]}"):
        Listener(bad, LARGEST)
    assert_closed(before)


def test_an_address_that_is_taken(address: str, listener: Listener) -> None:
    if address.startswith("tcp"):
        with pytest.raises(WorkersError, match="cannot listen"):
            Listener(address, LARGEST)


@pytest.mark.parametrize("bad", ["nonsense", "tcp://", "http://127.0.0.1:80", ""])
def test_an_address_that_is_none(bad: str) -> None:
    before = left_open()
    with pytest.raises(SettingsError, match="is not an address to connect to"):
        Dialer(bad, LARGEST)
    assert_closed(before)


def test_what_is_said_after_the_other_end_has_gone_is_never_heard(address: str) -> None:
    with Listener(address, LARGEST) as listener:
        dialer = dial(listener)
    for _ in range(100):
        dialer.send([b"for nobody"])
        dialer.poll(0.001)
    with Listener(address, LARGEST) as listener:
        while not dialer.connected():
            listener.poll(0.01)
            dialer.poll(0.01)
        dialer.send([b"for this one"])
        (received,) = receive(listener)
        assert frames(received) == [b"for this one"]
    dialer.close()


def test_what_is_said_without_a_connection_is_never_heard(address: str) -> None:
    """A gradient for one coordinator must not reach the next one there."""
    dialer = dialer_for(address, LARGEST)
    dialer.send([b"for nobody"])
    for word in (b"one", b"two"):
        with Listener(address, LARGEST) as listener:
            while not dialer.connected():
                listener.poll(0.01)
                dialer.poll(0.01)
            dialer.send([word])
            (received,) = receive(listener)
            assert frames(received) == [word]
    dialer.close()


def accept(server: socket.socket) -> socket.socket:
    """Shake hands with a dialer by hand, and return the connection when the dialer has been told of it.

    Its I/O thread tells of the handshake, and after that answers a PING.
    """
    connection, _ = server.accept()
    connection.settimeout(PATIENCE)
    for words, answer in ((HANDSHAKE, b"READY"), (frame(b"\x04PING" + bytes(2) + b"there?", COMMAND), b"PONGthere?")):
        connection.sendall(words)
        said = b""
        while answer not in said:
            more = connection.recv(1000)
            assert more, "the dialer hung up"
            said += more
    return connection


def test_two_connections_between_two_looks_are_one_beginning() -> None:
    """Whoever says hello twice on one connection is welcomed twice, which no worker puts up with."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        dialer = Dialer(f"tcp://127.0.0.1:{server.getsockname()[1]}", LARGEST)
        accept(server).close()
        with accept(server):
            beginnings = []
            for _ in range(3):
                dialer.poll(0)
                beginnings.append(dialer.connected())
        dialer.close()
    assert beginnings == [True, False, False]


def test_one_that_has_left_before_it_was_looked_at_is_not_the_one() -> None:
    """A worker that computes meanwhile sees the handshake and the end of a connection at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        port = server.getsockname()[1]
        dialer = Dialer(f"tcp://127.0.0.1,127.0.0.2:{port}", LARGEST)
        accept(server).close()
        again, _ = server.accept()  # after the end of the first was noticed
        dialer.poll(0)
        assert not dialer.connected()
        assert not dialer.reached
        with again, Listener(f"tcp://127.0.0.2:{port}", LARGEST) as other:
            while not dialer.connected():
                other.poll(0.01)
                dialer.poll(0.01)
            assert dialer.reached == other.address
        dialer.close()
