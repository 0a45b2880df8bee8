"""How many workers a round needs, how long they may take, and how many of their blocks are audited."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.rounds import Audit, Leases
from engine.system.clock import Clock


@dataclass(frozen=True)
class Policy:
    """`audit`: fraction of the training blocks that two workers must agree on. `least`: workers to begin a round."""

    audit: float = 0.0
    least: int = 1
    leases: Leases = field(default_factory=Leases)

    def chooser(self, seed: int, step: int) -> Audit | None:
        """Return what chooses the blocks of `step` to audit; None without an audit."""
        return Audit(self.audit, seed, step) if self.audit else None


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
