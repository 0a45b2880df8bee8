"""What the coordinator does with its peers besides giving them work: greets and refuses them, finds out who is gone."""

from engine.coordinator import rounds
from engine.coordinator.membership import Member, Membership
from engine.coordinator.supervisor import Supervisor
from engine.system.clock import Clock
from engine.wire import Endpoint
from engine.wire import messages as m

LOOK = 0.25  # seconds between looks at the local workers while nothing comes in
PING = 5.0  # seconds between messages to workers that may have nothing to do, so that they know we are here


class Peers:
    """Whoever is at the other end of `endpoint`, welcomed or not.

    Those elsewhere may say what they like. A process on this machine is known by the socket that it came by, so only of
    such a one `supervisor` is told: that it is to be suspected, or trusted again.
    """

    def __init__(self, endpoint: Endpoint, supervisor: Supervisor, clock: Clock, members: Membership) -> None:
        self._endpoint = endpoint
        self._supervisor = supervisor
        self._clock = clock
        self._members = members
        self._looked = self._pinged = clock.now()

    def send(self, peer: bytes, message: m.Message) -> bool:
        """Send a message without payload; False if the peer is gone."""
        return self._endpoint.send(peer, m.encode(message))

    def greet(self, peer: bytes, hello: m.Hello) -> None:
        """Answer a HELLO."""
        if self._endpoint.is_local(peer):
            self._supervisor.trust(hello.host, hello.pid)
        self._endpoint.send(peer, self._members.greet(peer, hello))

    def feed(self, peer: bytes, fetch: m.Fetch) -> None:
        """Answer a FETCH; ProtocolError if it was not to be asked for."""
        self._endpoint.send(peer, self._members.chunk(peer, fetch))

    def redirect(self, peer: bytes, message: m.Fetch | m.Ready | m.Result | m.Failed | m.Goodbye) -> None:
        """Answer a message of another session or connection, from a worker that has not seen that these are over."""
        self._members.note("unasked", peer, f"{type(message).__name__} of a peer that has not joined this session")
        if self._members.get(peer) is None:  # it may have missed the end
            self.send(peer, m.Stop(message.session, "that stay is over"))

    def refuse(self, peer: bytes, reason: str) -> None:
        """Answer a message that something is wrong with; after some of these the connection ends."""
        self._members.note("bad message", peer, reason)
        self.send(peer, m.Refuse(m.clip(reason, 600)))
        self._endpoint.blame(peer)

    def local(self, peer: bytes) -> Member | None:
        """Return the worker known as `peer` if it was welcomed and is on this machine."""
        return self._members.get(peer) if self._endpoint.is_local(peer) else None

    def useful(self, peer: bytes) -> None:
        """Take note that a worker does its work."""
        if member := self.local(peer):
            self._supervisor.useful(member.pid)

    def part(self, peer: bytes, reason: str) -> None:
        """Forget a worker; one on this machine is suspected until it ends, or comes back."""
        self._suspect(peer)
        self._members.drop(peer, reason)

    def look(self, idle: bool) -> bool:
        """Replace local workers that give no sign of life, if we are idle or it is time; return whether we looked."""
        now = self._clock.now()
        if not idle and now - self._looked <= LOOK:
            return False
        self._looked = now
        for pid in self._supervisor.look():
            self._members.announce("killed", f"process {pid} gave no sign of life, and is replaced")
        return True

    def unreachable(self) -> list[bytes]:
        """Return those to whom nothing can be sent, if it is time to find out or a connection may have been lost."""
        now = self._clock.now()
        if not self._endpoint.lost_connections() and now - self._pinged <= PING:
            return []
        self._pinged = now
        ping = m.Ping(self._members.session)
        return [peer for peer in self._members.peers() if not self.send(peer, ping)]

    def note(self, instruction: rounds.Instruction, step: int | None) -> None:
        """Put on record what went wrong in the round of `step`, and tell who is to blame."""
        place = "" if step is None else f" of step {step}"
        match instruction:
            case rounds.Ignore(peer, kind, block):
                fate = "in question" if kind == "not finite" else "not used"
                self._members.note(kind, peer, f"its answer for block {block} is {fate}")
            case rounds.Lapsed(peer, blocks):
                self._members.note("lapsed", peer, f"no answer in time for blocks {list(blocks)}")
                self._suspect(peer)
            case rounds.Differ(peers, block):
                names = ", ".join(self._members.name(peer) for peer in peers)
                self._members.note("differs", peers[-1], f"{names} sent different bits for block {block}{place}")
            case rounds.Expel(peer, block):
                reason = f"its bits for block {block}{place} are wrong: bad memory, or other software"
                self._members.note("audit", peer, reason)
                self.send(peer, m.Refuse(reason))

    def _suspect(self, peer: bytes) -> None:
        if member := self.local(peer):
            self._supervisor.suspect(member.host, member.pid)
