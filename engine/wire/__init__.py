"""Sockets: a listener for the coordinator, a dialer for a worker. Besides `curve`, the only place that knows ZeroMQ.

ROUTER to DEALER, lists of frames. A send never blocks: the protocol itself is the flow control, since a worker has at
most one share in hand. Time-outs are in seconds.
"""

from engine.wire.dialer import Dialer
from engine.wire.endpoint import Endpoint, Received
from engine.wire.listener import Listener
from engine.wire.sockets import frame_of

__all__ = ["Dialer", "Endpoint", "Listener", "Received", "frame_of"]
