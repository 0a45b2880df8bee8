"""Which fault comes at which step: drawn from a seed, every kind about equally often."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """What happens. Whom it hits is drawn when it comes, among those who are there."""

    KILL = "worker killed (SIGKILL)"
    FREEZE = "worker frozen (SIGSTOP), then thawed"
    LEAVE = "worker asked to leave (SIGTERM)"
    JOIN = "worker joins"
    CUT = "link cut, then restored"
    HOLD = "link silent, then flowing"
    SLOW = "link slow, then fast"
    LOSE = "messages lost"
    REPEAT = "messages repeated"
    SWAP = "messages out of order"
    FREEZE_COORDINATOR = "coordinator frozen, then thawed"
    KILL_COORDINATOR = "coordinator killed (SIGKILL), resumed"
    LOCK = "database locked, then released"
    FULL_DISK = "disk full, then not"
    POISON = "liar joins"
    REJOIN = "liar joins, and again whenever it is expelled"
    FLOOD = "strangers flood"


WITHOUT_DISK = tuple(fault for fault in Fault if fault is not Fault.FULL_DISK)  # that needs a disk of its own


@dataclass(frozen=True)
class Event:
    """A fault that comes once `step` steps are done. `lot` decides whom it hits.

    `seconds`: after these it is over, if it is of a kind that lasts.
    """

    step: int
    fault: Fault
    lot: int
    seconds: float


def schedule(
    seed: int, steps: int, faults: int, longest: float, quiet: int, kinds: Collection[Fault] = WITHOUT_DISK
) -> list[Event]:
    """Return `faults` events in steps `quiet` to `steps` - `quiet`, at different steps, none longer than `longest`."""
    rng = random.Random(seed)
    order = list(kinds)
    drawn = [order[number % len(order)] for number in range(faults)]
    rng.shuffle(drawn)
    when = sorted(rng.sample(range(quiet, steps - quiet), faults))
    return [
        Event(step, fault, rng.randrange(1 << 30), rng.uniform(0.1, 1.0) ** 2 * longest)
        for step, fault in zip(when, drawn, strict=True)
    ]
