"""A network link that misbehaves: it can be cut, held, slowed, and made to lose, repeat or swap messages.

It stands between a worker and the coordinator and relays what they say. It understands as much of ZMTP 3
(https://rfc.zeromq.org/spec/23/) as shows where a message ends: a greeting of 64 bytes, then frames, each of flags, a
length and a body. Without CURVE, that is: there a message that is lost or repeated ends its connection.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Self

GREETING = 64  # bytes
MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame
SLOW = 0.05  # seconds that a message takes on a slow link
SWAP_WAIT = 0.2  # seconds that a message waits for another one to overtake it
PARTING = 5.0  # seconds in which the threads of a closed link must have ended


class Mischief(Enum):
    """What may be done to a message."""

    LOSE = "lose"
    REPEAT = "repeat"
    SWAP = "swap"


class Link:
    """Listens at a port of its own and passes everything on to `upstream`, tcp://host:port."""

    def __init__(self, upstream: str) -> None:
        self._delay = 0.0  # seconds that each message takes
        self._upstream = upstream
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._mischief: list[Mischief] = []
        self._tear = 0  # bytes: from a worker's next message with so many only half gets through; 0: from none
        self.torn = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._port = 0
        self.restore()

    @property
    def address(self) -> str:
        """Where the worker finds the coordinator."""
        return f"tcp://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """End all connections, and let nobody connect."""
        with self._lock:
            listener, self._listener = self._listener, None
            sockets = list(self._sockets)
        for one in [*sockets, *([listener] if listener else [])]:
            _end(one)

    def restore(self) -> None:
        """Let connections be made, at the same port as before."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._port))
            self._port = self._listener.getsockname()[1]
            self._start(self._accept, self._listener)

    def hold(self) -> None:
        """Let nothing through, heartbeats neither, and tell nobody: an unplugged cable."""
        self._flowing.clear()

    def release(self) -> None:
        """Let everything through again, what was held first."""
        self._flowing.set()

    def slow_down(self) -> None:
        """Let every message take a while."""
        self._delay = SLOW

    def speed_up(self) -> None:
        """Let messages through at once, as before."""
        self._delay = 0.0

    def spoil(self, mischief: Mischief, count: int) -> None:
        """Do this to each of the next `count` messages, in whichever direction."""
        with self._lock:
            self._mischief += [mischief] * count

    def tear(self, size: int) -> None:
        """Of the next message of a worker that has `size` bytes let half through, set `torn`, and then hold."""
        self.torn.clear()
        self._tear = size

    def close(self) -> None:
        """End everything."""
        self.cut()
        self.release()
        for thread in self._threads:
            thread.join(PARTING)
            assert not thread.is_alive(), "a thread of a link does not end"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                worker = listener.accept()[0]
            except OSError:  # cut
                listener.close()
                return
            try:
                coordinator = _connect(self._upstream)
            except OSError:  # it is not there yet, or any more; the worker will try again
                worker.close()
                continue
            with self._lock:
                self._sockets |= {worker, coordinator}
                self._mischief.clear()  # it was meant for the connection before
                lost = self._listener is not listener
            if lost:
                _end(worker)
            self._start(self._relay, worker, coordinator, True)
            self._start(self._relay, coordinator, worker, False)

    def _relay(self, source: socket.socket, sink: socket.socket, upward: bool) -> None:
        """Pass on what comes from `source` until either side ends the connection."""
        try:
            left = GREETING  # sent piece by piece, each side waiting for a piece of the other
            while left:
                piece = source.recv(left)
                if not piece:
                    return
                left -= len(piece)
                sink.sendall(piece)
            self._relay_messages(source, sink, upward)
        except (OSError, EOFError, ValueError):
            pass  # the connection has ended, or was cut; ValueError: the socket was closed before `select`
        finally:
            _end(source)
            _end(sink)
            with self._lock:
                self._sockets.discard(source)

    def _relay_messages(self, source: socket.socket, sink: socket.socket, upward: bool) -> None:
        aside = b""
        while True:
            if aside and not select.select([source], [], [], SWAP_WAIT)[0]:
                sink.sendall(aside)
                aside = b""
            command, message = _read_message(source)
            self._flowing.wait()
            if upward and not command and 0 < self._tear <= len(message):
                self._tear, half = 0, len(message) // 2
                sink.sendall(message[:half])
                message = message[half:]
                self.hold()
                self.torn.set()
                self._flowing.wait()
            if self._delay:
                time.sleep(self._delay)
            mischief = None if command else self._next_mischief()
            if mischief is Mischief.LOSE:
                continue
            if mischief is Mischief.SWAP and not aside:
                aside = message
                continue
            sink.sendall(message)
            if mischief is Mischief.REPEAT:
                sink.sendall(message)
            sink.sendall(aside)
            aside = b""

    def _next_mischief(self) -> Mischief | None:
        with self._lock:
            return self._mischief.pop(0) if self._mischief else None


def _connect(address: str) -> socket.socket:
    """Connect to tcp://host:port."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)))


def _end(one: socket.socket) -> None:
    """Wake whoever waits for this socket: for them, it is at its end."""
    with contextlib.suppress(OSError):  # it was not connected any more
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _read(source: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes; EOFError if the connection ends before."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = source.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return bytes(data)


def _read_message(source: socket.socket) -> tuple[bool, bytes]:
    """Read a whole message, all its frames, or a command; return which it is, and its bytes."""
    parts: list[bytes] = []
    while True:
        flags = _read(source, 1)
        length = _read(source, 8 if flags[0] & LONG else 1)
        parts += [flags, length, _read(source, int.from_bytes(length, "big"))]
        if flags[0] & COMMAND or not flags[0] & MORE:
            return bool(flags[0] & COMMAND), b"".join(parts)
