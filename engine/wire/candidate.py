"""One address at which a worker looks for its coordinator."""

import contextlib
import logging
import socket
from collections.abc import Callable, Sequence

import zmq

from engine.errors import SettingsError
from engine.system.clock import MONOTONIC, Clock
from engine.wire.address import is_local, path_or_port
from engine.wire.keys import Keys, Pair
from engine.wire.messages import Frame
from engine.wire.pulse import Pulse
from engine.wire.sockets import EVENT, LINGER, beat, configure
from engine.wire.tcp import abort, counted, place_of, traffic

logger = logging.getLogger("gradsum.wire")

EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
OTHER_MECHANISM = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)


class Candidate:
    """A socket that connects to `address`, again and again, and what ZeroMQ tells of its connections.

    With `keys`, only to the coordinator that has them, and as the worker that has `pair`. SettingsError if there can be
    no such address. `take_events` says whether a handshake succeeded, which proves with keys who is at the other end.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        address: str,
        largest: int,
        keys: Keys | None,
        pair: Pair,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.address = address
        self.expelled = False  # the coordinator that has the key will never admit us
        self.other_mechanism = False  # one of the two ends has no keys: told only if the other end spoke first
        self.lost = False  # a connection has ended since the last `take_events`
        self._descriptor: int | None = None  # of the connection
        self._pulse: Pulse | None = None  # of the connection, if it counts its bytes, since the handshake
        self._clock = clock
        self._watched = not is_local(address) and counted()
        self.socket = context.socket(zmq.DEALER)
        configure(self.socket, largest)
        beat(self.socket, self._watched)
        if keys:
            keys.join(self.socket, pair)
        if address.startswith("tcp://["):
            self.socket.setsockopt(zmq.IPV6, 1)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)  # what is sent to one coordinator must not reach the next
        self.monitor = self.socket.get_monitor_socket(EVENTS)
        try:
            self.socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise SettingsError(f"{address!r} is not an address to connect to ({error}); try tcp://host:port") from None

    def take_events(self) -> bool:
        """Learn all that has happened: of several connections since the last call only the last one is left, if any."""
        succeeded = self.lost = False
        while self.monitor.poll(0):
            event, value = EVENT.unpack(self.monitor.recv_multipart()[0])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                succeeded, self.lost = True, False
                self._pulse = Pulse(self._clock) if self._watched else None
            elif event == zmq.EVENT_CONNECTED:
                self._descriptor = value
            elif event == zmq.EVENT_DISCONNECTED:
                self._descriptor, self._pulse, self.lost = None, None, True
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.expelled = True
            elif (event, value) == OTHER_MECHANISM:
                self.other_mechanism = True
        return succeeded

    def look(self) -> None:
        """End the connection if nothing has moved by it for a while, upon which ZeroMQ makes another."""
        if self._pulse is None or not self._pulse.due():
            return
        self._act_on_connection(self._end_if_silent)

    def _end_if_silent(self, connection: socket.socket) -> None:
        if self._pulse and (moved := traffic(connection)) and self._pulse.stopped(moved):
            logger.info("the connection to %s is ended: it was silent for too long", self.address)
            self._pulse = None
            abort(connection)

    def arriving(self) -> bool:
        """Return whether a message, or a part of one, has come in since the last call."""
        return self._pulse is not None and self._pulse.arriving()

    def receive(self) -> Sequence[Frame]:
        """Return the message that has come in."""
        return [frame.buffer.toreadonly() for frame in self.socket.recv_multipart(copy=False)]

    def close(self) -> None:
        """Close the socket; the last messages leave in the background."""
        self.take_events()
        self.socket.disable_monitor()
        self.monitor.close()
        self.socket.close(linger=LINGER)

    def hang_up(self) -> None:
        """End the connection that is left after `close`, unless its descriptor is of another file by now."""
        self._act_on_connection(abort)

    def _act_on_connection(self, act: Callable[[socket.socket], None]) -> None:
        """Do something with the connection, which is ZeroMQ's, if there is one and `act` finds that it has not ended.

        Its descriptor may be of another file by now.
        """
        if self._descriptor is None:
            return
        family = socket.AF_UNIX if is_local(self.address) else socket.AF_INET
        with contextlib.suppress(OSError):
            connection = socket.socket(family, socket.SOCK_STREAM, 0, fileno=self._descriptor)
            try:
                if place_of(connection.getpeername()) == path_or_port(self.address):
                    act(connection)
            finally:
                connection.detach()
