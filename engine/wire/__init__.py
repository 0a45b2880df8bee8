"""Bytes between processes: messages, sockets, keys, shared memory. The only room that knows ZeroMQ.

A listener for the coordinator (ROUTER), a dialer for a worker (DEALER), lists of frames. A send never blocks: the
protocol itself is the flow control, since a worker has at most one share in hand. Time-outs are in seconds.
"""

from engine.wire.dialer import Dialer
from engine.wire.endpoint import Endpoint, Received, WorkerEndpoint
from engine.wire.listener import Listener
from engine.wire.sockets import frame_of

__all__ = ["Dialer", "Endpoint", "Listener", "Received", "WorkerEndpoint", "frame_of"]
