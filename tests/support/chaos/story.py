"""What happened in an arena."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.support.chaos.schedule import Fault


@dataclass(frozen=True)
class Struck:
    """A fault that came: when (monotonic seconds), after which step, and how long it lasted (seconds)."""

    fault: Fault
    moment: float
    step: int
    lasted: float


@dataclass
class Story:
    """What happened. `steps`: the moment each step was told of, its number, and the workers at hand.

    `sittings`: when each coordinator was started (seconds since 1970), and after which step.
    """

    steps: list[tuple[float, int, int]] = field(default_factory=list)
    faults: list[Struck] = field(default_factory=list)
    sittings: list[tuple[float, int]] = field(default_factory=list)
    ended_by_themselves: Counter[int] = field(default_factory=Counter)  # remote workers, by exit code
    result: dict[str, Any] = field(default_factory=dict)
