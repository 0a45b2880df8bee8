"""Who computes what: a state machine from events to instructions, without sockets, clocks or files.

A *round* is all that happens for one batch (or one validation). Its micro-batches are cut into shares, a share into
blocks; every block is counted exactly once. Because any two workers find the same bits, it does not matter who computes
a block, or how often, so a block is given to a worker

- in its share, when the round begins;
- again, when the worker that had it has left, or its lease has lapsed;
- as a copy, when the worker that has it is late and another has nothing else to do: the first answer counts;
- as a second opinion, when the block is *in question*: it was chosen for an audit, as all are of a step that cannot be
  believed, or an answer was not finite. It is counted when two workers agree on its bits, on two machines if there were
  two when the round was cut. If they differ, a third is asked; if there is none, the coordinator computes the block
  itself, and that decides. A worker in the minority is refused.

    event                            instructions
    Joined, Left, Begin,
    Resized, Stranded         ->     Assign ..., Arbitrate ...
    Tick                      ->     Lapsed ..., then Assign ..., Arbitrate ...
    Answered                  ->     Accept | Ignore | Differ, then Expel ..., Assign ..., Arbitrate ... or Complete
    Arbitrated                ->     Accept, Expel ..., then Assign ... or Complete
"""

from engine.coordinator.rounds.events import (
    Accept,
    Answered,
    Arbitrate,
    Arbitrated,
    Assign,
    Begin,
    Complete,
    Differ,
    Event,
    Expel,
    Ignore,
    IgnoreReason,
    Instruction,
    Joined,
    Lapsed,
    Left,
    Resized,
    Stranded,
    Tick,
    Worker,
)
from engine.coordinator.rounds.leases import Leases
from engine.coordinator.rounds.scheduler import Entry, Scheduler
from engine.coordinator.rounds.voting import Audit

__all__ = [
    "Accept",
    "Answered",
    "Arbitrate",
    "Arbitrated",
    "Assign",
    "Audit",
    "Begin",
    "Complete",
    "Differ",
    "Entry",
    "Event",
    "Expel",
    "Ignore",
    "IgnoreReason",
    "Instruction",
    "Joined",
    "Lapsed",
    "Leases",
    "Left",
    "Resized",
    "Scheduler",
    "Stranded",
    "Tick",
    "Worker",
]
