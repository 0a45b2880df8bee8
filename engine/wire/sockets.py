"""What the sockets of both ends have in common."""

import math
import struct
from collections.abc import Callable
from logging import getLogger
from threading import Thread

import zmq

from engine.nn.parameters import Vector
from engine.wire.connection_limits import SILENCE
from engine.wire.messages import HEADER_LIMIT, Frame

HEARTBEAT = 2.0  # seconds between heartbeats of a connection
NEVER = 10**9  # milliseconds
EVENT = struct.Struct("=Hi")  # a monitor's message: the event, and a file descriptor or a code
LINGER = 500  # milliseconds after which ZeroMQ drops the messages of a closed socket that have not left
LAST_WORDS = 0.3  # seconds, well before that, after which we end connections on which some are still under way
ENDING = 10.0  # seconds that the threads of a context have to end when all its sockets are closed

logger = getLogger("gradsum.wire")


def frame_of(vector: Vector) -> Frame:
    """Copy `vector` once into a frame that can be sent to any number of peers without further copies."""
    return zmq.Frame(vector.data.cast("B"), copy=True)


def milliseconds(timeout: float) -> int:
    """Round up: a poll that ends a little too early would be repeated at once, again and again."""
    return math.ceil(max(0.0, timeout) * 1000)


def configure(socket: "zmq.Socket[bytes]", largest: int) -> None:
    """Set what holds for all: no limit on how many messages wait, and one on the size of what comes in."""
    socket.sndhwm = socket.rcvhwm = 0
    socket.setsockopt(zmq.MAXMSGSIZE, largest + HEADER_LIMIT)


def beat(socket: "zmq.Socket[bytes]", watched: bool = False) -> None:
    """Send heartbeats, and let ZeroMQ find out that the other end is silent, unless that is `watched` by a `Pulse`.

    To ZeroMQ it is silent while a long message is on its way: only a whole one counts.
    """
    socket.setsockopt(zmq.HEARTBEAT_IVL, int(HEARTBEAT * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, NEVER if watched else int(SILENCE * 1000))


def end(context: "zmq.Context[zmq.Socket[bytes]]", hang_up: Callable[[], None], patience: float = ENDING) -> bool:
    """End the threads of `context`, whose sockets have been closed; return whether they ended.

    `hang_up` ends the connections that are left when the last messages have had time to leave. libzmq 4.3.5 aborts the
    process if a peer hangs up in the moment in which it drops a message of several frames that is half sent
    (session_base.cpp:233), so no connection may be left by then.

    It also now and then waits forever here when a peer left without reading what it was sent. Nothing that the run
    needs is left in those threads, so after `patience` seconds they are left to the end of the process.
    """
    ending = Thread(target=context.term, name="end of ZeroMQ", daemon=True)
    ending.start()
    ending.join(LAST_WORDS)
    if ending.is_alive():
        hang_up()
        ending.join(patience)
    if ending.is_alive():
        logger.warning("ZeroMQ did not end its threads within %g s; they end with this process", patience)
    return not ending.is_alive()
