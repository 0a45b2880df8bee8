"""The gatekeeper: ZeroMQ asks it over ZAP (rfc.zeromq.org/spec/27) which clients it may let in."""

import zmq

from engine.wire.keys import LOCKED_DOMAIN, OPEN_DOMAIN

AT_ONCE = 256  # questions answered in one go


class Gatekeeper:
    """Answers ZeroMQ's questions about who may come in: those whose public keys are in `allowed`.

    It has a socket to be polled rather than a thread (as pyzmq's own authenticator has), so that nothing runs beside
    the coordinator.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", allowed: frozenset[bytes]) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")
        self._allowed = allowed

    def answer(self) -> None:
        """Answer the questions that are there."""
        for _ in range(AT_ONCE):
            try:
                version, request, domain, _, _, mechanism, *credentials = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            known = (domain, mechanism) == (LOCKED_DOMAIN, b"CURVE") and credentials[0] in self._allowed
            known = known or (domain, mechanism) == (OPEN_DOMAIN, b"NULL")
            status, text = (b"200", b"OK") if known else (b"400", b"this key is not listed")
            self.socket.send_multipart([version, request, status, text, b"", b""])

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)
