"""The gatekeeper: ZeroMQ asks it over ZAP (rfc.zeromq.org/spec/27) which clients to admit."""

import logging

import zmq

from engine.wire.keys import LOCKED_DOMAIN, OPEN_DOMAIN

logger = logging.getLogger("gradsum.wire")
ZAP_BATCH = 256  # questions answered at a time


class Gatekeeper:
    """Answers ZeroMQ's questions about whom to admit: clients whose public keys are in `allowed`.

    It has a socket to be polled rather than a thread (as pyzmq's own authenticator has), so that nothing runs beside
    the coordinator.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", allowed: frozenset[bytes]) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")
        self._allowed = allowed

    def answer(self) -> None:
        """Answer the questions that have come in."""
        for _ in range(ZAP_BATCH):
            try:
                version, request, domain, address, _, mechanism, *credentials = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            listed = (domain, mechanism) == (LOCKED_DOMAIN, b"CURVE") and credentials[0] in self._allowed
            if listed or (domain, mechanism) == (OPEN_DOMAIN, b"NULL"):
                status, text = b"200", b"OK"
            else:
                logger.info("a client at %s is refused: its key is not listed", address.decode(errors="replace"))
                status, text = b"400", b"this key is not listed"
            self.socket.send_multipart([version, request, status, text, b"", b""])

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)
