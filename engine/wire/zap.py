"""The gatekeeper: ZeroMQ asks it over ZAP (rfc.zeromq.org/spec/27) which clients to admit."""

import logging

import zmq

from engine.wire.address import network_of
from engine.wire.admission import Admission
from engine.wire.keys import LOCAL_DOMAIN, LOCKED_DOMAIN, OPEN_DOMAIN

logger = logging.getLogger("gradsum.wire")
ZAP_BATCH = 16  # questions answered at a time
YES, LATER, NEVER = b"200", b"300", b"400"  # a client that is told nothing but LATER tries again


class Gatekeeper:
    """Answers ZeroMQ's questions about whom to admit: any client with CURVE knows the way in, and has a key of its own.

    That key is from then on the user id of its messages. It has a socket to be polled rather than a thread (as pyzmq's
    own authenticator has), so that nothing runs beside the coordinator.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", admission: Admission) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")
        self._admission = admission

    def answer(self) -> None:
        """Answer questions that have come in, not too many."""
        for _ in range(ZAP_BATCH):
            try:
                version, request, domain, address, _, mechanism, *credentials = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            key = credentials[0].hex() if (domain, mechanism) == (LOCKED_DOMAIN, b"CURVE") else ""
            status = self._decide(domain, mechanism, address.decode(errors="replace"), key)
            text = b"OK" if status == YES else b"not now" if status == LATER else b"not admitted"
            self.socket.send_multipart([version, request, status, text, key.encode() if status == YES else b"", b""])

    def _decide(self, domain: bytes, mechanism: bytes, address: str, key: str) -> bytes:
        if (domain, mechanism) == (LOCAL_DOMAIN, b"NULL"):
            return YES
        if not key and (domain, mechanism) != (OPEN_DOMAIN, b"NULL"):
            return NEVER
        if self._admission.enter(network_of(address), key):
            return YES
        logger.info("a client at %s is not admitted%s", address, f", with key {key}" if key else "")
        return NEVER if self._admission.expelled(key) else LATER

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)
