"""Bytes between processes: messages, sockets, keys, shared memory. The only room that knows ZeroMQ.

A listener for the coordinator, a dialer for a worker, lists of frames: by sockets of packets between processes of one
machine, where the system has these, else by ZeroMQ (ROUTER and DEALER). A send by the coordinator never blocks: the
protocol itself is the flow control, since a worker has at most one share in hand. Time-outs are in seconds.
"""

from engine.wire.dialer import Dialer
from engine.wire.dialers import dialer_for
from engine.wire.endpoint import Endpoint, Received, WorkerEndpoint
from engine.wire.listener import Listener
from engine.wire.sockets import frame_of

__all__ = ["Dialer", "Endpoint", "Listener", "Received", "WorkerEndpoint", "dialer_for", "frame_of"]
