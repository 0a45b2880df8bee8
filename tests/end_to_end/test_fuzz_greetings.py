"""Peers that speak an older ZMTP, or something like it, are not heard, and do no harm."""

import contextlib
import socket

import pytest

from engine.wire import Dialer, Listener, Received

HELLO = b"hello"
OLD = {
    "ZMTP 1": b"\x01\x00" + b"\x06\x00" + HELLO,  # https://rfc.zeromq.org/spec/13/: a length, flags, a body
    "ZMTP 2": b"\xff"
    + bytes(8)
    + b"\x7f\x01\x05"
    + b"\x00\x00"
    + b"\x00\x05"
    + HELLO,  # https://rfc.zeromq.org/spec/15/
}


@pytest.mark.parametrize("version", OLD)
def test_who_speaks_an_older_protocol_is_not_heard(version: str) -> None:
    with Listener("tcp://127.0.0.1:0", 1000) as listener:
        dialer = Dialer(listener.address, 1000)
        port = int(listener.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as old:
            old.sendall(OLD[version])
            with contextlib.suppress(ConnectionResetError):
                old.recv(10)  # ZeroMQ greets it, or ends the connection
            heard: list[Received] = []
            while not heard:  # a message that is not for us ends a wait, too
                heard = listener.poll(0.02)
                dialer.poll(0)
                if dialer.connected():
                    dialer.send([b"from a worker"])
            assert [bytes(one.frames[0]) for one in heard] == [b"from a worker"]
        dialer.close()
