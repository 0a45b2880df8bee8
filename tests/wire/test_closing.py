"""Ends that are closed while a message is half sent: they hang up, before ZeroMQ drops what is left.

If a peer hangs up in the moment in which ZeroMQ drops a message of several frames, it aborts the process
(session_base.cpp:233). Whether we hung up can be told by the peer: the kernel then forgets what was not sent.
"""

import socket
import sys

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
