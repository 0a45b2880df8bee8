"""Connections of a relay to the others in its exchange: what they report (events), and what they are told (actions)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.wire import exchange
from engine.wire import messages as m


@dataclass(frozen=True)
class Met:
    """The relay `number` was `reached`; or it cannot be, or is not any more."""

    number: int
    reached: bool


@dataclass(frozen=True)
class Unsent:
    """A message for the relay `number` could not be sent."""

    number: int


@dataclass(frozen=True)
class Said:
    """A message came from the relay `number`."""

    number: int
    message: m.Message
    payload: m.Frame | None = None


@dataclass(frozen=True)
class Present:
    """Say to others what `link` says, from now on."""

    link: exchange.Link


@dataclass(frozen=True)
class Expect:
    """Let the relay `number`, with the public key `key`, connect to us."""

    number: int
    key: str


@dataclass(frozen=True)
class Dial:
    """Connect to the relay `number` at `address`, which has the public key `key`; then comes Met."""

    number: int
    address: str
    key: str


@dataclass(frozen=True)
class Forget:
    """The relay `number` has left."""

    number: int


@dataclass(frozen=True)
class Tell:
    """Send a message to the relay `number`; if that is impossible, there comes Unsent."""

    number: int
    message: m.Message
    payload: m.Frame


@dataclass(frozen=True)
class Unlink:
    """Have no connection to any other relay any more."""


LinkEvent = Met | Unsent | Said
LinkAction = Present | Expect | Dial | Forget | Tell | Unlink


class Links(Protocol):
    """The connections."""

    def events(self) -> Sequence[LinkEvent]:
        """Return what has happened since the last call."""

    def perform(self, action: LinkAction) -> None:
        """Carry out an action."""


class NoLinks:
    """For a relay that others cannot reach: it is in no exchange."""

    def events(self) -> Sequence[LinkEvent]:
        """Return nothing."""
        return ()

    def perform(self, action: LinkAction) -> None:
        """Do nothing."""
