"""Which relays connect to each other: in a tree, or to exchange parts of vectors."""

from engine.coordinator.config import Environment
from engine.coordinator.exchange.roster import Roster
from engine.coordinator.membership import Membership
from engine.coordinator.seating import Seating
from engine.errors import ProtocolError
from engine.wire import exchange, relays
from engine.wire import messages as m


class RelayLinks:
    """Tells relays which others to connect to, and which to expect: `seating` has the tree, `roster` the exchange."""

    def __init__(self, session: str, environment: Environment, members: Membership) -> None:
        self._session = session
        self._endpoint = environment.endpoint
        self._members = members
        self.seating = Seating()
        self.roster = Roster()

    def seat(self, peer: bytes, place: relays.Place) -> None:
        """Answer a PLACE: tell a relay, before it is ready, which other one to join, or which others to meet."""
        member = self._members.get(peer)
        if member is None or member.ready or member.seated:
            raise ProtocolError("PLACE from a worker that is ready, or twice")
        key = self._endpoint.key(peer)
        if not place.tree:
            self._introduce(peer, member.host, key, place)
            return
        above = self.seating.take(peer, member.host, key, place)
        if above and self._endpoint.send(above.peer, m.encode(relays.Invite(self._session, key))):
            member.seated = True
            seat = relays.Seat(self._session, above.address, above.key)
        else:
            seat = relays.Seat(self._session)
        self._endpoint.send(peer, m.encode(seat))

    def _introduce(self, peer: bytes, host: str, key: str, place: relays.Place) -> None:
        """Let a relay connect to those that exchange parts of vectors."""
        number, others = self.roster.enter(peer, host, key, place)
        self._endpoint.send(peer, m.encode(relays.Seat(self._session, number=number)))
        for other in others:
            self._endpoint.send(other.peer, m.encode(relays.Invite(self._session, key, number)))
            meet = exchange.Meet(self._session, other.number, other.address, other.key)
            self._endpoint.send(peer, m.encode(meet))

    def forget(self, peer: bytes) -> None:
        """Free the seat of a relay that has left, and tell the others that it has."""
        self.seating.forget(peer)
        number, others = self.roster.forget(peer)
        for other in others:
            self._endpoint.send(other, m.encode(exchange.Meet(self._session, number)))
