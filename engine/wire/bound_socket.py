"""One address of a listener, with ZeroMQ."""

import errno
from collections.abc import Sequence

import zmq

from engine.errors import WorkersError
from engine.system.clock import MONOTONIC, Clock
from engine.wire.address import is_local, path_or_port
from engine.wire.admission import Admission
from engine.wire.connection_limits import HANDSHAKE, QUEUED_MESSAGES, UNASKED, Connection, ConnectionLimits
from engine.wire.endpoint import Received
from engine.wire.keys import LOCAL_DOMAIN, OPEN_DOMAIN, Keys
from engine.wire.messages import HEADER_LIMIT, Frame
from engine.wire.sockets import EVENT, LINGER, beat, configure
from engine.wire.strangers import STRANGERS

MESSAGES_PER_POLL = 256  # so that a flood of messages cannot keep the coordinator from its other duties
UNPROVED_PER_POLL = 16  # of these, messages of peers of which no answer has counted yet
BYTES_PER_POLL = 1 << 26  # about
FRAMES_KEPT = 3  # of a message: one more than any may have, so that it can be refused
UNSENT_MESSAGES = 64  # to one peer that may wait to be sent; with more of them it counts as gone
LOCAL_IO, TCP_IO = 1, 2  # bits of ZeroMQ's I/O threads: strangers can keep only that of TCP connections busy


class BoundSocket:
    """One address of a listener: a ROUTER socket, what ZeroMQ tells of its connections, and limits on these.

    `mark`: a byte before the identity of each peer, since identities are unique at one socket only. `largest`: bytes
    of payload in the largest message. With `keys`, only peers that know the public one are admitted. `admission` is
    told who is refused. WorkersError if the address cannot be bound.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        mark: bytes,
        address: str,
        largest: int,
        admission: Admission,
        keys: Keys | None = None,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.mark = mark
        self.local = is_local(address)
        self.accepted = 0  # connections that came in, whoever made them
        self.lost = False  # whether a connection of a known peer has ended; set back by the listener
        self._largest = largest + HEADER_LIMIT
        self._admission = admission
        self.socket = context.socket(zmq.ROUTER)
        self.monitor = context.socket(zmq.PAIR)
        try:
            self._configure(largest, keys)
            if address.startswith("tcp://["):
                self.socket.setsockopt(zmq.IPV6, 1)
            self._watch_connections(address)
            self.socket.bind(address)
        except zmq.ZMQError as error:
            self._close_sockets()
            why = zmq.strerror(error.errno) if error.errno else error  # its own text has the address again
            raise WorkersError(f"cannot listen at {address}: {why}") from None
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._limits = ConnectionLimits(path_or_port(self.address), self._largest, clock)

    def _configure(self, largest: int, keys: Keys | None) -> None:
        configure(self.socket, largest)
        self.socket.sndhwm = UNSENT_MESSAGES
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.BACKLOG, STRANGERS)  # a client that finds it full tries again after a second
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, int(HANDSHAKE * 1000))
        self.socket.setsockopt(zmq.AFFINITY, LOCAL_IO if self.local else TCP_IO)
        # With heartbeats of its own and a full queue, ZeroMQ 4.3.5 aborts the process when the peer leaves (assertion
        # !_io_error in stream_engine_base.cpp). So over TCP only workers send them, and the limits check that they
        # come; local peers are our own, and their queues are not limited.
        if self.local:
            beat(self.socket)
        else:
            self.socket.rcvhwm = QUEUED_MESSAGES
        if keys:
            keys.serve(self.socket)
        else:  # with a domain, ZeroMQ refuses peers that speak ZMTP 1 or 2, which can make it abort
            self.socket.setsockopt(zmq.ZAP_DOMAIN, LOCAL_DOMAIN if self.local else OPEN_DOMAIN)

    def _watch_connections(self, address: str) -> None:
        self.monitor.rcvhwm = 0  # the I/O thread would wait for us if it were full; it holds what descriptors allow
        events = f"inproc://events-{self.mark[0]}-{address}"  # one that could not be bound may not be closed yet
        self.socket.monitor(events, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self.monitor.connect(events)

    def take_events(self) -> None:
        """Learn which connections came and went."""
        while True:
            try:
                event, descriptor = EVENT.unpack(self.monitor.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                return
            if event == zmq.EVENT_ACCEPTED:
                self.accepted += 1
                self._limits.opened(descriptor)
            elif self._limits.closed(descriptor):
                self.lost = True

    def receive(self) -> list[Received]:
        """Return messages that have come in, not too many; ROUTER takes them from one peer after the other."""
        received: list[Received] = []
        taken = unproved = size = 0
        most = MESSAGES_PER_POLL if self.local else UNPROVED_PER_POLL
        while taken < MESSAGES_PER_POLL and unproved < most and size <= max(self._largest, BYTES_PER_POLL):
            if not int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                break
            first = self.socket.recv(zmq.NOBLOCK, copy=False)
            frames: list[Frame] = []
            frame = first
            while frame.more:
                frame = self.socket.recv(zmq.NOBLOCK, copy=False)
                if len(frames) < FRAMES_KEPT:
                    frames.append(frame.buffer.toreadonly())
                    size += len(frame)
            peer = self.mark + first.bytes
            connection = self._limits.of(peer) or self._introduce(peer, first)
            taken += 1
            unproved += connection is None or not connection.proved
            if connection and connection.leave_by is not None:
                self._limits.end(peer, "it was told to leave")
                continue
            if connection:
                connection.heard, connection.told = True, False
            received.append(Received(peer, frames))
        return received

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send `frames` to `peer`; False if it is gone, or has not taken what it was sent before."""
        try:
            self.socket.send_multipart([peer[1:], *frames], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno in (errno.EHOSTUNREACH, errno.EAGAIN):
                return False
            raise
        if connection := self._limits.of(peer):
            connection.told = True
        return True

    def told(self) -> bool:
        """Return whether a peer is there that has said nothing since it was sent something."""
        return self._limits.told()

    def _introduce(self, peer: bytes, first: "zmq.Frame") -> Connection | None:
        """Note whose first message this is, and return its connection."""
        self.take_events()
        return self._limits.introduce(peer, int(first.get("__fd")), str(first.get("User-Id")))

    def key(self, peer: bytes) -> str:
        """Return the public key of `peer`, in hex; "" if it has none."""
        connection = self._limits.of(peer)
        return connection.key if connection else ""

    def trust(self, peer: bytes) -> None:
        """Note that an answer of `peer` counted."""
        if connection := self._limits.of(peer):
            connection.proved = True
            connection.unasked = max(0, connection.unasked - 1)

    def floods(self, peer: bytes) -> bool:
        """Note an unrequested message of `peer`; return whether these are too many."""
        connection = self._limits.of(peer)
        if connection is None:
            return False
        connection.unasked += 1
        return connection.unasked > UNASKED

    def refuse(self, peer: bytes, forever: bool) -> None:
        """Let `peer`, which was told to leave, not come back at once, or never; its connection ends in a moment."""
        connection = self._limits.of(peer)
        if connection and connection.leave_by is None:
            (self._admission.expel if forever else self._admission.refuse)(connection.address, connection.key)
            self._limits.dismiss(peer)

    def check_limits(self) -> None:
        """End connections that exceed a limit."""
        self._limits.check()

    def close(self) -> None:
        """Close the sockets; the last messages leave in the background."""
        self._close_sockets()

    def hang_up(self) -> None:
        """End the connections that are left after `close`."""
        self._limits.hang_up()

    def let_go(self) -> None:
        """Forget the connections, after the context has ended."""
        self._limits.close()

    def _close_sockets(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=LINGER)
