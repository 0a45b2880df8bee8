"""Ends that are closed while a message is half sent: they hang up, before ZeroMQ drops what is left.

If a peer hangs up in the moment in which ZeroMQ drops a message of several frames, it aborts the process
(session_base.cpp:233). Whether we hung up can be told by the peer: the kernel then forgets what was not sent.
"""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.wire import Dialer, Listener
from engine.wire.bound_socket import UNSENT_MESSAGES
from tests.support.strangers import COMMAND, GREETING, PATIENCE, READY, enter, frame

LARGEST = 1 << 20
BUFFERED = 64  # messages, more than the kernel and ZeroMQ take

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux aborts a connection")


def was_hung_up_on(peer: socket.socket) -> bool:
    """Read to the end, and return whether it came before all that had been sent."""
    try:
        while peer.recv(1 << 16):
            pass
    except ConnectionResetError:
        return True
    return False


def test_a_dialer_hangs_up_on_one_that_does_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dialer = Dialer(f"tcp://127.0.0.1:{server.getsockname()[1]}", LARGEST)
        peer = server.accept()[0]
        peer.settimeout(PATIENCE)
        with peer:
            peer.sendall(GREETING + frame(READY.replace(b"DEALER", b"ROUTER"), COMMAND))
            while not dialer.connected():
                dialer.poll(PATIENCE)
            for _ in range(BUFFERED):
                dialer.send([b"header", bytes(LARGEST)])
            dialer.close()
            assert was_hung_up_on(peer)


def test_a_listener_hangs_up_on_those_that_do_not_read() -> None:
    listener = Listener("tcp://127.0.0.1:0", LARGEST)
    peers = [enter(listener) for _ in range(3)]
    for peer in peers:
        peer.sendall(frame(b"hello"))
        [hello] = listener.poll(PATIENCE)
        count = 0
        while listener.send(hello.peer, [b"header", bytes(LARGEST)]):
            count += 1
        assert count >= UNSENT_MESSAGES
    listener.close()
    assert [was_hung_up_on(peer) for peer in peers] == [True, True, True]
    for peer in peers:
        peer.close()


def test_those_that_read_get_the_last_words() -> None:
    listener = Listener("tcp://127.0.0.1:0", LARGEST)
    with enter(listener) as peer:
        peer.sendall(frame(b"hello"))
        [hello] = listener.poll(PATIENCE)
        assert listener.send(hello.peer, [b"goodbye"])
        listener.close()
        assert peer.recv(100) == frame(b"goodbye")
        assert not was_hung_up_on(peer)


def hear(dialer: Dialer) -> bytes | None:
    """Take what comes in, and hang up; None if it was lost with the connection."""
    frames = dialer.poll(PATIENCE)
    while frames is None and not dialer.lost():
        frames = dialer.poll(PATIENCE)
    dialer.close()
    return None if frames is None else bytes(frames[0])


def end(listener: Listener) -> None:
    listener.see_off()
    listener.close()


def test_workers_hear_the_last_words_before_the_connection_ends() -> None:
    """ZeroMQ, told not to keep messages for the next connection, drops with a connection what was not read yet."""
    listener = Listener("tcp://127.0.0.1:0", LARGEST)
    dialers = [Dialer(listener.address, LARGEST) for _ in range(8)]
    peers = []
    for dialer in dialers:
        while not dialer.connected():
            listener.poll(0.01)
            dialer.poll(0.01)
        dialer.send([b"hello"])
        [hello] = listener.poll(PATIENCE)
        peers.append(hello.peer)
    for peer in peers:
        assert listener.send(peer, [b"goodbye"])
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(end, listener)
        ends = [dialer.sources[1].poll(20) for dialer in dialers]  # of connections, told before anybody reads
        heard = [hear(dialer) for dialer in dialers]
        closing.result()
    assert (ends, heard) == ([0] * 8, [b"goodbye"] * 8)


def test_one_that_says_nothing_is_not_waited_for_long() -> None:
    with Listener("tcp://127.0.0.1:0", LARGEST) as listener, enter(listener) as peer:
        peer.sendall(frame(b"hello"))
        [hello] = listener.poll(PATIENCE)
        assert listener.send(hello.peer, [b"goodbye"])
        listener.see_off()
        assert peer.recv(100) == frame(b"goodbye")
