"""Parameters leave for one worker after another, in the order in which these were given their shares.

Vectors that share a link all arrive when the last one does. One after the other, the first is there after its own time:
a relay passes it on, a worker computes, and its answer comes back, all while others are sent theirs.
"""

from collections import deque
from dataclasses import dataclass

from engine.wire import messages as m

FIRST_PATIENCE = 0.25  # seconds for a vector to arrive, while it is not known how long one takes
PATIENCE = 2.0  # times as long as the last vector took: then the next one is sent, so that a lost one holds up nobody
FAST = 0.003  # seconds: where vectors take less, the way of the answer counts, and a second one may leave before it


@dataclass(frozen=True)
class Parcel:
    """A WORK for a worker; `payload`: the parameters, None if it has them."""

    peer: bytes
    work: m.Work
    payload: m.Frame | None


class Outbox:
    """Facts and rules, no socket and no clock."""

    def __init__(self) -> None:
        self._waiting: deque[Parcel] = deque()
        self._ready: list[Parcel] = []  # need not wait
        self._sent: dict[bytes, tuple[int, float]] = {}  # whose parameters are on the way: of which attempt, since when
        self._deadlines: dict[bytes, float] = {}  # of those of them that others wait for
        self._took: float | None = None  # seconds, for the last that arrived

    def put(self, parcel: Parcel, at_once: bool = False) -> None:
        """Take a parcel in; one without parameters waits only behind another for the same worker, others in line.

        `at_once`: it takes no link that others need, as on this machine.
        """
        if at_once or (parcel.payload is None and all(one.peer != parcel.peer for one in self._waiting)):
            self._ready.append(parcel)
        else:
            self._waiting.append(parcel)

    def take(self, now: float) -> list[Parcel]:
        """Return the parcels to send now, in order."""
        if not self._ready and not self._waiting:
            return []
        self._deadlines = {peer: until for peer, until in self._deadlines.items() if now < until}
        out, self._ready = self._ready, []
        most = 2 if self._took is not None and self._took < FAST else 1
        while self._waiting and (self._waiting[0].payload is None or len(self._deadlines) < most):
            parcel = self._waiting.popleft()
            out.append(parcel)
            if parcel.payload is not None:
                patience = FIRST_PATIENCE if self._took is None else FAST + PATIENCE * self._took
                self._sent[parcel.peer] = parcel.work.attempt, now
                self._deadlines[parcel.peer] = now + patience
        return out

    def arrived(self, peer: bytes, attempt: int, now: float) -> bool:
        """Note that the parameters have arrived that a worker was sent with an attempt; return whether it was any."""
        sent, since = self._sent.get(peer, (None, 0.0))
        if sent != attempt:
            return False
        self._took = now - since
        self.forget_sent(peer)
        return True

    def forget_sent(self, peer: bytes) -> None:
        """Wait no longer for what a worker was sent."""
        self._sent.pop(peer, None)
        self._deadlines.pop(peer, None)

    def forget(self, peer: bytes) -> None:
        """Drop what is there for a worker that has left."""
        self.forget_sent(peer)
        self._ready = [one for one in self._ready if one.peer != peer]
        self._waiting = deque(one for one in self._waiting if one.peer != peer)

    def next_deadline(self) -> float | None:
        """Return when there may be more to send, if nothing happens before; None if never."""
        return min(self._deadlines.values(), default=None) if self._waiting else None
