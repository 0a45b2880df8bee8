"""A worker's end."""

import contextlib
import logging
import socket
from collections.abc import Sequence

import zmq

from engine.errors import SettingsError
from engine.wire.keys import Keys
from engine.wire.messages import Frame
from engine.wire.sockets import EVENT, LINGER, beat, configure, end, milliseconds
from engine.wire.tcp import abort, place_of

logger = logging.getLogger("gradsum.wire")

EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
OTHER_MECHANISM = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
EXPELLED = "has expelled this worker"
INSECURE = "takes no keys: give --insecure in place of --key here, or start it without --insecure"
NO_KEY = "wants a key: give --key FILE here, a copy of its key file, or start it with --insecure"


class Dialer:
    """A worker's end: connects to one coordinator, with `keys` only to the one that has them, and under
    a key of its own.

    A message with more than `largest` bytes of payload ends the connection. SettingsError if there can be no such
    address.
    """

    def __init__(self, address: str, largest: int, keys: Keys | None = None) -> None:
        self.address = address
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._keys = keys
        configure(self._socket, largest)
        beat(self._socket)
        if keys:
            logger.info("this worker has the key %s", keys.join(self._socket))
        if address.startswith("tcp://["):
            self._socket.setsockopt(zmq.IPV6, 1)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # what is sent to one coordinator must not reach the next
        self._monitor = self._socket.get_monitor_socket(EVENTS)
        self._connected = False
        self._descriptor: int | None = None  # of the connection
        self.unwelcome = ""  # why the other end will never admit us
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise SettingsError(f"{address!r} is not an address to connect to ({error}); try tcp://host:port") from None

    @property
    def sources(self) -> "list[zmq.Socket[bytes]]":
        """What can be read when there is something for `poll`."""
        return [self._socket, self._monitor]

    def watch(self, descriptor: int) -> None:
        """Let `poll` return also when the file `descriptor` can be read."""
        self._poller.register(descriptor, zmq.POLLIN)

    def send(self, frames: Sequence[Frame]) -> None:
        """Send `frames`; they are dropped if there is no connection."""
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)

    def connected(self) -> bool:
        """Return whether there is a new connection since the last call; the first one counts."""
        connected, self._connected = self._connected, False
        return connected

    def poll(self, timeout: float) -> Sequence[Frame] | None:
        """Wait at most `timeout` seconds for a message; None if none has come in."""
        ready = dict(self._poller.poll(milliseconds(timeout)))
        if self._monitor in ready:
            self._take_events()
        if self._socket not in ready:
            return None
        return [frame.buffer.toreadonly() for frame in self._socket.recv_multipart(copy=False)]

    def _take_events(self) -> None:
        """Learn all that has happened: of several connections since the last call only the last one is left."""
        while self._monitor.poll(0):
            event, value = EVENT.unpack(self._monitor.recv_multipart()[0])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._connected = True
                logger.info("connected to %s", self.address)
            elif event == zmq.EVENT_CONNECTED:
                self._descriptor = value
            elif event == zmq.EVENT_DISCONNECTED:
                self._descriptor = None
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.unwelcome = EXPELLED
            elif (event, value) == OTHER_MECHANISM:
                self.unwelcome = INSECURE if self._keys else NO_KEY

    def close(self) -> None:
        """Close the socket, after a moment for the last messages to leave, and end the I/O thread."""
        self._take_events()
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(linger=LINGER)
        end(self._context, self._hang_up)

    def _hang_up(self) -> None:
        """End the connection, unless its descriptor is of another file by now."""
        if self._descriptor is None:
            return
        local = self.address.startswith("ipc://")
        place = self.address.removeprefix("ipc://") if local else int(self.address.rpartition(":")[2])
        family = socket.AF_UNIX if local else socket.AF_INET
        with contextlib.suppress(OSError):
            connection = socket.socket(family, socket.SOCK_STREAM, 0, fileno=self._descriptor)
            try:
                if place_of(connection.getpeername()) == place:
                    abort(connection)
            finally:
                connection.detach()
