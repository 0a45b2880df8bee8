"""What the coordinator needs of a listener."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.wire.messages import Frame


@dataclass(frozen=True)
class Received:
    """A message as it came in; the frames can be read only."""

    peer: bytes
    frames: Sequence[Frame]


class Endpoint(Protocol):
    """What the coordinator needs of a listener; tests have one in memory."""

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send to `peer`; False if it is gone."""

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds and return what has come, perhaps nothing."""

    def lost_connections(self) -> bool:
        """Tell whether a connection may have been lost since the last call; whose, a send to each peer will show."""

    def is_local(self, peer: bytes) -> bool:
        """Tell whether `peer` came by a socket file, in a folder that only this user may open."""

    def blame(self, peer: bytes) -> None:
        """Take note that `peer` sent a bad message; one that sends many is cut off."""
