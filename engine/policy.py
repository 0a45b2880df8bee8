"""How the coordinator deals with workers."""

from dataclasses import dataclass, field

from engine.rounds import Audit, Patience


@dataclass(frozen=True)
class Policy:
    """What a run asks of its workers.

    `audit`: the part of the training blocks, 0 to 1, that two workers must agree on. `least`: how many workers must be
    there for a round to begin.
    """

    audit: float = 0.0
    least: int = 1
    patience: Patience = field(default_factory=Patience)

    def chooser(self, seed: int, step: int) -> Audit | None:
        """Return what chooses the blocks of `step` that are audited; None if there is no audit."""
        return Audit(self.audit, seed, step) if self.audit else None
