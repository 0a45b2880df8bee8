"""How the coordinator deals with workers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.rounds import Audit, Leases
from engine.system.clock import Clock


@dataclass(frozen=True)
class Policy:
    """What a run asks of its workers.

    `audit`: the fraction of the training blocks, 0 to 1, that two workers must agree on. `least`: how many workers a
    round needs to begin.
    """

    audit: float = 0.0
    least: int = 1
    leases: Leases = field(default_factory=Leases)

    def chooser(self, seed: int, step: int) -> Audit | None:
        """Return what chooses the blocks of `step` that are audited; None if there is no audit."""
        return Audit(self.audit, seed, step) if self.audit else None


class WorkerGate:
    """Tells `notice` when the run begins to wait for workers, and when that ends."""

    def __init__(self, clock: Clock, notice: Callable[[Notice], None]) -> None:
        self._clock = clock
        self._notice = notice
        self._since: float | None = None

    def needed(self, there: int, least: int) -> bool:
        """Tell whether `there` are fewer than `least` workers."""
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
