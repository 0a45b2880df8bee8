"""What coordinator and worker need of the two ends of a connection; tests have both in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.wire.messages import Frame


@dataclass(frozen=True)
class Received:
    """A message as it came in; the frames are read-only."""

    peer: bytes
    frames: Sequence[Frame]


class Endpoint(Protocol):
    """The coordinator's end: a `Listener`."""

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send to `peer`; False if it is gone."""

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds and return what has come in, perhaps nothing."""

    def lost_connections(self) -> bool:
        """Return whether a connection may have been lost since the last call; sending to each peer shows whose."""

    def is_local(self, peer: bytes) -> bool:
        """Return whether `peer` came by a socket file, in a folder that only this user may open."""

    def key(self, peer: bytes) -> str:
        """Return the public key of `peer`, in hex; "" if it has none."""

    def trust(self, peer: bytes) -> None:
        """Note that an answer of `peer` counted: it is no stranger any more."""

    def floods(self, peer: bytes) -> bool:
        """Note an unrequested message of `peer`; return whether these are too many."""

    def refuse(self, peer: bytes, forever: bool = False) -> None:
        """Let `peer`, which was told to leave, not come back at once, or never; its connection ends in a moment."""


class WorkerEndpoint(Protocol):
    """A worker's end: a `Dialer`."""

    @property
    def address(self) -> str:
        """Where the coordinator listens."""

    @property
    def unwelcome(self) -> str:
        """Why the coordinator will never admit this worker; "" as long as it may."""

    def watch(self, descriptor: int) -> None:
        """Let `poll` return also when the file `descriptor` can be read."""

    def send(self, frames: Sequence[Frame]) -> None:
        """Send `frames`; they are dropped if there is no connection."""

    def connected(self) -> bool:
        """Return whether there is a new connection since the last call; the first one counts."""

    def arriving(self) -> bool:
        """Return whether a message, or a part of one, has come in since the last call."""

    def poll(self, timeout: float) -> Sequence[Frame] | None:
        """Wait at most `timeout` seconds for a message; None if none has come in."""

    def close(self) -> None:
        """Close the connection, after a moment for the last messages to leave."""
