"""One address of a listener."""

import zmq

from engine.errors import WorkersError
from engine.system.clock import MONOTONIC, Clock
from engine.wire.connection_limits import HANDSHAKE, QUEUED_MESSAGES, STRANGERS, ConnectionLimits
from engine.wire.endpoint import Received
from engine.wire.keys import OPEN_DOMAIN, Keys
from engine.wire.messages import HEADER_LIMIT, Frame
from engine.wire.sockets import EVENT, LINGER, beat, configure

MESSAGES_PER_POLL = 256  # so that a flood of messages cannot keep the coordinator from its other duties
BYTES_PER_POLL = 1 << 26  # about
FRAMES_KEPT = 3  # of a message: one more than any may have, so that it can be refused
UNSENT_MESSAGES = 64  # to one peer that may wait to be sent; with more of them it counts as gone
LOCAL_IO, TCP_IO = 1, 2  # bits of ZeroMQ's I/O threads: strangers can keep only that of TCP connections busy


class BoundSocket:
    """One address of a listener: a ROUTER socket, what ZeroMQ tells of its connections, and limits on these.

    `mark`: a byte before the identity of each peer, since identities are unique at one socket only. `largest`: bytes
    of payload in the largest message. With `keys`, only peers with a listed key are admitted. WorkersError if the
    address cannot be bound.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        mark: bytes,
        address: str,
        largest: int,
        keys: Keys | None = None,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.mark = mark
        self.local = not address.startswith("tcp://")
        self.lost = False  # whether a connection of a known peer has ended; set back by the listener
        self._largest = largest + HEADER_LIMIT
        self.socket = context.socket(zmq.ROUTER)
        self.monitor = context.socket(zmq.PAIR)
        try:
            self._configure(largest, keys)
            if address.startswith("tcp://["):
                self.socket.setsockopt(zmq.IPV6, 1)
            self._watch_connections()
            self.socket.bind(address)
        except zmq.ZMQError as error:
            self._close_sockets()
            raise WorkersError(f"cannot listen at {address}: {error}") from None
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        place = self.address.removeprefix("ipc://") if self.local else int(self.address.rpartition(":")[2])
        self._limits = ConnectionLimits(place, self._largest, clock)

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
            self.socket.setsockopt(zmq.ZAP_DOMAIN, OPEN_DOMAIN)

    def _watch_connections(self) -> None:
        self.monitor.rcvhwm = 0  # the I/O thread would wait for us if it were full; it holds what descriptors allow
        events = f"inproc://events-{self.mark[0]}"
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
                self._limits.opened(descriptor)
            elif self._limits.closed(descriptor):
                self.lost = True

    def receive(self) -> list[Received]:
        """Return messages that have come in, not too many; ROUTER takes them from one peer after the other."""
        received: list[Received] = []
        size = 0
        while len(received) < MESSAGES_PER_POLL and size <= max(self._largest, BYTES_PER_POLL):
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
            if not self._limits.heard(peer):
                self.take_events()
                self._limits.introduce(peer, int(first.get("__fd")))
            received.append(Received(peer, frames))
        return received

    def blame(self, peer: bytes) -> None:
        """Note a bad message of `peer`; after some its connection ends."""
        self._limits.blame(peer)

    def check_limits(self) -> None:
        """End connections that exceed a limit."""
        self._limits.check()

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave."""
        self._limits.close()
        self._close_sockets()

    def _close_sockets(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=LINGER)
