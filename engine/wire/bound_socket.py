"""One address of a listener."""

import zmq

from engine.wire.connection_limits import HANDSHAKE, STRANGERS, WAITING, ConnectionLimits
from engine.wire.endpoint import Received
from engine.wire.keys import OPEN_DOMAIN, Keys
from engine.wire.messages import HEADER_LIMIT, Frame
from engine.wire.sockets import EVENT, PARTING, beat, configure

AT_ONCE = 256  # messages taken in one poll: no flood of them may keep the coordinator from its other duties
BYTES_AT_ONCE = 1 << 26  # and about so many bytes
MOST_FRAMES = 3  # frames kept of a message: one more than any may have, so that it can be told
UNSENT = 64  # messages to a peer that may wait; one that lets more of them wait counts as gone


class BoundSocket:
    """One address of a listener: a ROUTER socket, what ZeroMQ tells of its connections, and the guard over them.

    `mark` is put before the identity of each peer, since identities are unique at one socket only.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", mark: bytes, largest: int) -> None:
        self.mark = mark
        self._largest = largest + HEADER_LIMIT
        self.socket = context.socket(zmq.ROUTER)
        configure(self.socket, largest)
        self.socket.sndhwm = UNSENT
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.BACKLOG, STRANGERS)  # who comes when it is full tries again after a second
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, int(HANDSHAKE * 1000))
        self.monitor = context.socket(zmq.PAIR)
        self.monitor.rcvhwm = 0  # the I/O thread would wait for us if it were full; it holds what descriptors allow
        self.guard: ConnectionLimits | None = None
        self.lost = False  # whether a connection was
        self.local = False

    def bind(self, address: str, keys: Keys | None) -> str:
        """Listen at `address`, only to those whose keys are listed if there are `keys`; return it, with its port."""
        tcp = address.startswith("tcp://")
        self.local = not tcp
        # Strangers keep only the I/O thread of TCP connections busy.
        self.socket.setsockopt(zmq.AFFINITY, 2 if tcp else 1)
        # With heartbeats of its own and a full queue, ZeroMQ 4.3.5 aborts the process when the peer leaves (assertion
        # !_io_error in stream_engine_base.cpp). So over TCP only workers send them, and the guard sees that they come;
        # local peers are our own, and their queues are not limited.
        if tcp:
            self.socket.rcvhwm = WAITING
        else:
            beat(self.socket)
        if keys:
            keys.serve(self.socket)
        else:  # with a domain, ZeroMQ takes nobody who speaks ZMTP 1 or 2, which it can be made to abort with
            self.socket.setsockopt(zmq.ZAP_DOMAIN, OPEN_DOMAIN)
        if address.startswith("tcp://["):
            self.socket.setsockopt(zmq.IPV6, 1)
        events = f"inproc://events-{self.mark[0]}"
        self.socket.monitor(events, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self.monitor.connect(events)
        self.socket.bind(address)
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.guard = ConnectionLimits(
            int(bound.rpartition(":")[2]) if tcp else bound.removeprefix("ipc://"), self._largest
        )
        return bound

    def take_events(self) -> None:
        """Tell the guard of connections that came and went; take note if a known one did."""
        while self.guard:
            try:
                event, descriptor = EVENT.unpack(self.monitor.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                break
            if event == zmq.EVENT_ACCEPTED:
                self.guard.opened(descriptor)
            elif self.guard.closed(descriptor):
                self.lost = True

    def receive(self) -> list[Received]:
        """Return messages that have come, not too many; ROUTER takes them from one peer after the other."""
        received: list[Received] = []
        size = 0
        while len(received) < AT_ONCE and size <= max(self._largest, BYTES_AT_ONCE):
            if not int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                break
            first = self.socket.recv(zmq.NOBLOCK, copy=False)
            frames: list[Frame] = []
            frame = first
            while frame.more:
                frame = self.socket.recv(zmq.NOBLOCK, copy=False)
                if len(frames) < MOST_FRAMES:
                    frames.append(frame.buffer.toreadonly())
                    size += len(frame)
            peer = self.mark + first.bytes
            if self.guard and not self.guard.knows(peer):
                self.take_events()
                self.guard.introduce(peer, int(first.get("__fd")))
            received.append(Received(peer, frames))
        return received

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave."""
        if self.guard:
            self.guard.close()
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=PARTING)
