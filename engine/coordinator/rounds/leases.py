"""How long to wait for a worker. All times are in seconds."""

from dataclasses import dataclass, replace

UNTRIED = 32  # micro-batches in a share while a speed is unknown: answers come, and speeds, before a first lease lapses


@dataclass(frozen=True)
class Leases:
    """Limits in proportion to the expected duration of a share, as the worker's speed predicts it.

    A worker that is *late* may have its blocks copied by one that is idle; when its *lease* has lapsed, they are handed
    out again. Factors are large because a speed is a rough prediction: evaluating a sample is about three times as fast
    as training on it. `first_...` is for a worker whose speed is not known yet. No lease is longer than `most_lease`.
    A relay may have to start one of its own processes first, for which it has `start` more.
    """

    first_lease: float = 60.0
    least_lease: float = 5.0
    most_lease: float = 3600.0
    lease_factor: float = 20.0
    first_late: float = 15.0
    least_late: float = 1.0
    late_factor: float = 6.0
    newcomer: float = 4.0
    start: float = 4.0

    def after_proof(self, seconds: float) -> "Leases":
        """Return shorter limits for workers of unknown speed, as this process took `seconds` to prove what it computes.

        A proof takes some six times as long as a micro-batch does later: it has two or more, the first of all.
        """
        first = min(max(self.lease_factor * UNTRIED * seconds, self.least_lease), self.first_lease)
        return replace(self, first_lease=first, first_late=min(max(first / 4, self.least_late), self.first_late))

    def limits(self, size: int, speed: float | None, relay: bool = False) -> tuple[float, float]:
        """Return after how long a worker is late with `size` micro-batches, and after how long its lease lapses.

        `speed` in micro-batches a second, None if it is not known.
        """
        if speed is None:
            return min(self.first_late, self.first_lease), self.first_lease
        expected = size / speed
        more = self.start if relay else 0.0
        lease = min(max(self.lease_factor * expected, self.least_lease) + more, self.most_lease)
        return min(max(self.late_factor * expected, self.least_late) + more, lease), lease
