"""What surrounds a run while it is carried out."""

from dataclasses import dataclass

from engine.system.clock import Clock, TimeLimit
from engine.system.signals import Interrupt
from engine.training.reporter import Reporter


@dataclass(frozen=True)
class RunContext:
    """Who watches a run, the signals and the time limit that may end it, and the clock that it is measured by."""

    reporter: Reporter
    interrupt: Interrupt
    clock: Clock
    limit: TimeLimit

    def must_stop(self) -> bool:
        """Return whether the run is to stop however far it is; KeyboardInterrupt if it is not to wait for that."""
        if self.interrupt.at_once:
            raise KeyboardInterrupt
        return bool(self.interrupt.requested) or self.limit.reached()
