"""How long to wait for a worker. All times are in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Leases:
    """Limits in proportion to the expected duration of a share, as the worker's speed predicts it.

    A worker that is *late* may have its blocks copied by one that is idle; when its *lease* has lapsed, they are handed
    out again. Factors are large because a speed is a rough prediction: evaluating a sample is about three times as fast
    as training on it. `first_...` is for a worker whose speed is not known yet. No lease is longer than `most_lease`.
    """

    first_lease: float = 60.0
    least_lease: float = 5.0
    most_lease: float = 3600.0
    lease_factor: float = 20.0
    first_late: float = 15.0
    least_late: float = 1.0
    late_factor: float = 6.0
    newcomer: float = 4.0

    def limits(self, size: int, speed: float | None) -> tuple[float, float]:
        """Return after how long a worker is late with `size` micro-batches, and after how long its lease lapses.

        `speed` in micro-batches a second, None if it is not known.
        """
        if speed is None:
            return min(self.first_late, self.first_lease), self.first_lease
        expected = size / speed
        lease = min(max(self.lease_factor * expected, self.least_lease), self.most_lease)
        return min(max(self.late_factor * expected, self.least_late), lease), lease
