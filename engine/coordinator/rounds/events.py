"""What the scheduler is told (events), and what it says is to be done (instructions)."""

from dataclasses import dataclass
from enum import StrEnum

from engine.compute.tree import Block
from engine.coordinator.rounds.voting import Audit

Worker = bytes  # a peer's identity on the transport


@dataclass(frozen=True)
class Joined:
    """A worker is ready for work. `machine`: the name of the one that it is on. `processes` compute for it."""

    worker: Worker
    machine: str = ""
    processes: int = 1


@dataclass(frozen=True)
class Left:
    """A worker has left, for any reason."""

    worker: Worker


@dataclass(frozen=True)
class Resized:
    """So many `processes`, at least one, compute for a worker from now on."""

    worker: Worker
    processes: int


@dataclass(frozen=True)
class Stranded:
    """A worker may wait for parameters that do not come: what it has of a round that is over it need not answer."""

    worker: Worker


@dataclass(frozen=True)
class Begin:
    """A round of `total` micro-batches begins, with parameters `version`; shares have at most `cap` micro-batches.

    `audit` chooses the blocks that two workers must agree on. `part`: the micro-batches that are to be computed, None
    if that is all. `recalled`: workers that are to answer nothing of what they have, nor have its parameters.
    """

    round: int
    total: int
    version: int
    cap: int
    audit: Audit | None = None
    part: Block | None = None
    recalled: tuple[Worker, ...] = ()


@dataclass(frozen=True)
class Answered:
    """A worker sent the sums of a block. `bits` stands for them; needed for blocks in question.

    Sums that are not `finite` put their block in question. `seconds`: how long computing took, 0.0 if unknown.
    """

    worker: Worker
    round: int
    attempt: int
    block: Block
    bits: str | None = None
    finite: bool = True
    seconds: float = 0.0


@dataclass(frozen=True)
class Arbitrated:
    """The coordinator computed a block itself; `bits` stands for the sums."""

    round: int
    block: Block
    bits: str


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Joined | Resized | Left | Stranded | Begin | Answered | Arbitrated | Tick


@dataclass(frozen=True)
class Assign:
    """Send a worker the share [start, stop), with the parameters if it does not hold this version."""

    worker: Worker
    round: int
    attempt: int
    share: Block
    with_parameters: bool


@dataclass(frozen=True)
class Accept:
    """Count the sums that came with this event: they are right, and the first for their block.

    `found`: if the coordinator computed them, a worker that had sent the same.
    """

    block: Block
    found: Worker | None = None


class IgnoreReason(StrEnum):
    """Why an answer is not used; each is a kind of notice, too."""

    LATE = "late"  # the round is over
    REPEATED = "repeated"  # another worker's answer came first
    DOUBLED = "doubled"  # this worker has answered it before
    UNASKED = "unasked"  # the worker was not asked for this block, or not in this round or attempt
    NOT_FINITE = "not finite"  # the block is put in question


@dataclass(frozen=True)
class Ignore:
    """Do not use the answer. For the records."""

    worker: Worker
    reason: IgnoreReason
    block: Block


@dataclass(frozen=True)
class Lapsed:
    """A worker's lease has run out; its blocks are handed out again. For the records."""

    worker: Worker
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Differ:
    """Workers sent different bits for a block; none of them is trusted. For the records."""

    workers: tuple[Worker, ...]
    block: Block


@dataclass(frozen=True)
class Arbitrate:
    """Compute the block here, and report the result as `Arbitrated`: no worker is left that could be asked."""

    block: Block


@dataclass(frozen=True)
class Expel:
    """Refuse a worker that sent wrong bits for a block. The scheduler has dropped it already."""

    worker: Worker
    block: Block


@dataclass(frozen=True)
class Complete:
    """Every micro-batch of the round has been counted exactly once."""

    round: int


Instruction = Assign | Accept | Ignore | Lapsed | Differ | Arbitrate | Expel | Complete
