"""How many workers a round needs, how long they may take, and how many of their blocks are audited."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.rounds import Audit, Leases
from engine.system.clock import Clock


@dataclass(frozen=True)
class Policy:
    """`audit`: fraction of the training blocks that two workers must agree on. `least`: workers to begin a round.

    `twice`: rounds of training at the start in which they must agree on every block: there is nothing yet that the
    gradient of the first could be compared with.
    """

    audit: float = 0.0
    least: int = 1
    leases: Leases = field(default_factory=Leases)
    twice: int = 1

    def chooser(self, seed: int, step: int, twice: bool) -> Audit | None:
        """Return what chooses the blocks of `step` to audit, all if `twice`; None without an audit."""
        fraction = 1.0 if twice else self.audit
        return Audit(fraction, seed, step) if fraction else None


class WorkerGate:
    """Gives notice when the run starts to wait for workers, and when it continues."""

    def __init__(self, clock: Clock, notice: Callable[[Notice], None]) -> None:
        self._clock = clock
        self._notice = notice
        self._since: float | None = None

    def needed(self, there: int, least: int) -> bool:
        """Return whether `there` are fewer than `least` workers."""
        if there < least and self._since is None:
            self._since = self._clock.now()
            text = f"{there} of {least} workers are connected; waiting for more"
            self._notice(Notice(NoticeKind.WAITING, None, text))
        elif there >= least and self._since is not None:
            waited, self._since = self._clock.now() - self._since, None
            self._notice(
                Notice(NoticeKind.CONTINUED, None, f"enough workers are connected, after {waited:.1f} seconds")
            )
        return there < least
