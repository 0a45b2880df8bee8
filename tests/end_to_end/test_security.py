"""What strangers may try at an open port, with real sockets: each is tried, and an honest peer is served meanwhile."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from engine.errors import ProtocolError
from engine.wire import Dialer, Listener, Received, connection_limits
from engine.wire import messages as m
from engine.wire.admission import FIRST_WAIT
from engine.wire.bound_socket import FRAMES_KEPT, UNSENT_MESSAGES
from engine.wire.connection_limits import PARTING
from engine.wire.keys import Keys, new_pair
from engine.wire.strangers import AT_ONE_ADDRESS
from tests.support.clocks import LeapingClock
from tests.support.strangers import COMMAND, GREETING, HANDSHAKE, MORE, PATIENCE, dial, ended, enter, frame, until

LARGEST = 100_000
KEYS = Keys.make()
OTHER = Keys.make()
ANY_FAILURE = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


@pytest.fixture
def open_to_all() -> Iterator[Listener]:
    with Listener("tcp://127.0.0.1:0", LARGEST) as listener:
        yield listener


@pytest.fixture
def locked() -> Iterator[Listener]:
    with Listener("tcp://127.0.0.1:0", LARGEST, KEYS) as listener:
        yield listener


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def introduce(dialer: Dialer, listener: Listener, word: bytes) -> Received:
    """Say `word` once there is a connection, and return it as it comes in."""
    while not dialer.connected():
        assert listener.poll(0.02) == []
        dialer.poll(0)
    dialer.send([word])
    [received] = listener.poll(PATIENCE)
    return received


def serves_honest_peers(listener: Listener, keys: Keys | None = None) -> None:
    """Assert that a message comes in and its answer goes out."""
    dialer = Dialer(listener.address, LARGEST, keys)
    try:
        for _ in range(round(PATIENCE / 0.02)):
            if dialer.connected():
                dialer.send([b"honest"])
            for received in listener.poll(0.02):
                if bytes(received.frames[0]) == b"honest":
                    assert listener.send(received.peer, [b"welcome"])
            listener.lost_connections()
            if dialer.poll(0):
                return
        raise AssertionError("an honest peer was not served")
    finally:
        dialer.close()


def memory() -> int:
    """Bytes of memory that this process uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("keys", [pytest.param(None, id="no key"), pytest.param(OTHER, id="the key of another")])
def test_only_those_that_know_the_public_key_come_in(locked: Listener, keys: Keys | None) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        if keys:
            keys.join(peer, new_pair())
        monitor = peer.get_monitor_socket(ANY_FAILURE)
        peer.connect(locked.address)
        peer.send(b"let me in")
        assert until(locked, lambda: bool(monitor.poll(0))) == []
        assert recv_monitor_message(monitor)["event"] & ANY_FAILURE
        peer.disable_monitor()
        monitor.close()
    serves_honest_peers(locked, KEYS)


def test_each_peer_has_a_key_of_its_own_and_keeps_it(locked: Listener, stack: ExitStack) -> None:
    dialers = [Dialer(locked.address, LARGEST, KEYS) for _ in range(2)]
    keys = []
    for dialer in dialers:
        stack.callback(dialer.close)
        keys.append(locked.key(introduce(dialer, locked, b"hello").peer))
    assert len(set(keys)) == 2
    assert {len(bytes.fromhex(key)) for key in keys} == {32}
    assert KEYS.server_public.hex() not in keys


def test_one_without_a_key_has_none(open_to_all: Listener, stack: ExitStack) -> None:
    dialer = Dialer(open_to_all.address, LARGEST)
    stack.callback(dialer.close)
    assert open_to_all.key(introduce(dialer, open_to_all, b"hello").peer) == ""


def test_a_plain_client_gets_no_word_in(locked: Listener, stack: ExitStack) -> None:
    peer = stack.enter_context(dial(locked.address))
    peer.sendall(HANDSHAKE + frame(b"let me in"))
    assert until(locked, lambda: ended(peer)) == []
    serves_honest_peers(locked, KEYS)


def test_what_another_session_said_cannot_be_said_again(locked: Listener, stack: ExitStack) -> None:
    """A go-between records all that an honest peer with the right key sends, and says it once more."""
    between = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    dialer = Dialer(f"tcp://127.0.0.1:{between.getsockname()[1]}", LARGEST, KEYS)
    stack.callback(dialer.close)
    inner = between.accept()[0]
    outer = stack.enter_context(dial(locked.address))
    stack.enter_context(inner)
    recorded: list[bytes] = []

    def pass_on() -> bool:
        for source, sink in ((inner, outer), (outer, inner)):
            source.setblocking(False)
            try:
                data = source.recv(1 << 16)
            except BlockingIOError:
                continue
            sink.setblocking(True)
            sink.sendall(data)
            if source is inner:
                recorded.append(data)
        return False

    received: list[Received] = []
    while not received:
        pass_on()
        received = locked.poll(0.01)
        dialer.poll(0)
        if dialer.connected():
            dialer.send([b"once"])
    assert bytes(received[0].frames[0]) == b"once"
    again = stack.enter_context(dial(locked.address))
    again.sendall(b"".join(recorded))
    assert until(locked, lambda: ended(again)) == []
    serves_honest_peers(locked, KEYS)


@pytest.mark.parametrize("secure", [False, True])
def test_a_stranger_that_sends_much_before_it_is_known_is_cut_off(
    secure: bool, open_to_all: Listener, locked: Listener, stack: ExitStack
) -> None:
    """The one frame that a handshake waits for is as long as may be: 100 KB that nobody needs."""
    listener = locked if secure else open_to_all
    peer = stack.enter_context(dial(listener.address))
    greeting = GREETING.replace(b"NULL\0", b"CURVE") if secure else GREETING
    peer.sendall(greeting + frame(bytes(LARGEST), 4)[: LARGEST - 10])
    assert until(listener, lambda: ended(peer)) == []
    serves_honest_peers(listener, KEYS if secure else None)


@pytest.mark.parametrize("said", [b"", GREETING[:10], GREETING, HANDSHAKE])
def test_one_that_never_finishes_a_word_is_cut_off(said: bytes, stack: ExitStack) -> None:
    clock = LeapingClock()
    listener = stack.enter_context(Listener("tcp://127.0.0.1:0", LARGEST, clock=clock))
    peer = stack.enter_context(dial(listener.address))
    peer.sendall(said)
    for _ in range(2):  # the connection may be noticed only now
        listener.poll(0.1)
        assert not ended(peer)
    clock.leap += connection_limits.HANDSHAKE
    assert until(listener, lambda: ended(peer)) == []
    serves_honest_peers(listener)


def test_a_peer_that_falls_silent_is_cut_off(stack: ExitStack) -> None:
    """Heartbeats are enough to stay."""
    clock = LeapingClock()
    listener = stack.enter_context(Listener("tcp://127.0.0.1:0", LARGEST, clock=clock))
    peer = stack.enter_context(enter(listener))
    peer.sendall(frame(b"hello"))
    assert len(listener.poll(PATIENCE)) == 1
    for _ in range(3):
        peer.sendall(frame(b"\x04PING" + bytes(2), COMMAND))
        while not peer.recv(100).endswith(b"PONG"):
            pass
        clock.leap += 0.7 * connection_limits.SILENCE
        listener.poll(0)
        listener.poll(0)
    assert not ended(peer)
    clock.leap += connection_limits.SILENCE
    assert until(listener, lambda: ended(peer)) == []
    serves_honest_peers(listener)


@pytest.mark.parametrize("size", [0, 1, 50_000])
def test_a_message_without_end_is_cut_off(size: int, stack: ExitStack) -> None:
    """ZeroMQ keeps the frames of a message in memory until the last has come, however many they are."""
    with Listener("tcp://127.0.0.1:0", LARGEST) as listener:
        peer = stack.enter_context(enter(listener))
        peer.sendall(frame(b"a whole one"))
        assert listener.poll(PATIENCE)
        piece = left = frame(bytes(size), MORE) * (65536 // (size + 2) + 1)
        before = memory()
        peer.setblocking(False)
        deadline = time.monotonic() + PATIENCE
        with suppress(ConnectionError):
            while time.monotonic() < deadline:
                listener.poll(0.001)
                with suppress(BlockingIOError):
                    left = left[peer.send(left) :] or piece
            raise AssertionError("it was not cut off")
        assert memory() - before < 300 << 20
        serves_honest_peers(listener)


def test_a_message_of_many_frames_is_refused_and_no_more_than_that(open_to_all: Listener, stack: ExitStack) -> None:
    peer = stack.enter_context(enter(open_to_all))
    peer.sendall(frame(b"hello"))  # from one that has said nothing yet, so many bytes are not taken
    assert len(open_to_all.poll(PATIENCE)) == 1
    peer.sendall(frame(b"x", MORE) * 200_000 + frame(b"end") + frame(b"next"))
    received = open_to_all.poll(PATIENCE)
    if len(received) < 2:
        received += open_to_all.poll(PATIENCE)
    assert [len(one.frames) for one in received] == [FRAMES_KEPT, 1]
    with pytest.raises(ProtocolError, match="one or two frames"):
        m.decode(received[0].frames)
    serves_honest_peers(open_to_all)


@pytest.mark.parametrize("keys", [None, KEYS], ids=["insecure", "with keys"])
def test_one_that_is_refused_is_hung_up_on_and_comes_back_later(keys: Keys | None, stack: ExitStack) -> None:
    """Another, with a key pair of its own, need not wait for it."""
    clock = LeapingClock()
    listener = stack.enter_context(Listener("tcp://127.0.0.1:0", LARGEST, keys, clock))
    dialer = Dialer(listener.address, LARGEST, keys)
    stack.callback(dialer.close)
    peer = introduce(dialer, listener, b"bad").peer
    listener.refuse(peer)
    assert listener.send(peer, [b"refused"])
    assert until(listener, lambda: dialer.poll(0) is not None) == []
    clock.leap += PARTING
    until(listener, lambda: not listener.send(peer, [b"x"]))
    serves_honest_peers(listener, keys)
    clock.leap += FIRST_WAIT
    assert until(listener, lambda: dialer.poll(0) is None and dialer.connected()) == []


def test_one_that_goes_on_talking_after_a_refusal_is_not_heard(open_to_all: Listener, stack: ExitStack) -> None:
    peer = stack.enter_context(enter(open_to_all))
    peer.sendall(frame(b"bad"))
    [bad] = open_to_all.poll(PATIENCE)
    open_to_all.refuse(bad.peer)
    with suppress(ConnectionError):
        peer.sendall(frame(b"worse") * 3)
    assert until(open_to_all, lambda: ended(peer)) == []


def test_one_that_is_expelled_stays_out_and_is_told_so(locked: Listener, stack: ExitStack) -> None:
    dialer = Dialer(locked.address, LARGEST, KEYS)
    stack.callback(dialer.close)
    locked.refuse(introduce(dialer, locked, b"a lie").peer, forever=True)
    assert until(locked, lambda: dialer.poll(0) is None and bool(dialer.unwelcome)) == []
    assert dialer.unwelcome == "has expelled this worker"
    serves_honest_peers(locked, KEYS)


def test_a_flood_from_one_leaves_room_for_others(open_to_all: Listener, stack: ExitStack) -> None:
    """ROUTER takes one message from each in turn, and no more than a few wait: the other is among the next ones."""
    peer = stack.enter_context(enter(open_to_all))
    stop = threading.Event()

    def flood() -> None:
        with suppress(OSError):  # the end of it, in the end
            while not stop.is_set():
                peer.sendall(frame(b"flood") * 1000)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        assert open_to_all.poll(PATIENCE)
        serves_honest_peers(open_to_all)
    finally:
        stop.set()
        peer.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def test_one_that_does_not_read_counts_as_gone(open_to_all: Listener, stack: ExitStack) -> None:
    peer = stack.enter_context(enter(open_to_all))
    peer.sendall(frame(b"hello"))
    [hello] = open_to_all.poll(PATIENCE)
    sent, answer = 0, bytes(1 << 20)
    while open_to_all.send(hello.peer, [answer]):
        sent += 1
        assert sent < UNSENT_MESSAGES + 200, "what is not read is kept without limit"
    serves_honest_peers(open_to_all)


def test_ten_thousand_connections(stack: ExitStack) -> None:
    """The oldest of those that have said nothing go, those that have said something stay, and newcomers come in."""
    with Listener("tcp://127.0.0.1:0", LARGEST, KEYS) as listener:
        known = Dialer(listener.address, LARGEST, KEYS)
        stack.callback(known.close)
        hello = introduce(known, listener, b"known")
        crowd: list[socket.socket] = []
        most = 0
        try:
            for number in range(10_000):
                crowd.append(dial(listener.address))
                if number % 250 == 0:
                    listener.poll(0)
                    fates = [(peer, ended(peer)) for peer in crowd]
                    crowd = [peer for peer, gone in fates if not gone]
                    for peer in (peer for peer, gone in fates if gone):
                        peer.close()
                    most = max(most, len(list(Path("/proc/self/fd").iterdir())) - len(crowd))
            assert most < AT_ONE_ADDRESS + 500  # some come between two looks
            assert listener.send(hello.peer, [b"still here"])
            serves_honest_peers(listener, KEYS)
        finally:
            for peer in crowd:
                peer.close()


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        pytest.param(KEYS, None, "wants a key: give --key FILE", id="no key where one is wanted"),
        pytest.param(None, KEYS, "takes no keys: give --insecure", id="a key where none is taken"),
    ],
)
def test_a_dialer_that_is_unwelcome_knows_why(theirs: Keys | None, ours: Keys | None, said: str) -> None:
    with Listener("tcp://127.0.0.1:0", LARGEST, theirs) as listener:
        dialer = Dialer(listener.address, LARGEST, ours)
        assert until(listener, lambda: dialer.poll(0) is None and bool(dialer.unwelcome)) == []
        assert dialer.unwelcome.startswith(said)
        assert not dialer.connected()
        dialer.close()
