"""What a coordinator is made with: what it is to do, and what it does that with."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.compute.tree import Block
from engine.coordinator.notices import Notice
from engine.coordinator.policy import Policy
from engine.coordinator.supervisor import Supervisor
from engine.nn.parameters import Vector
from engine.system.clock import Clock
from engine.wire import Endpoint
from engine.wire import messages as m
from engine.wire.shared_memory import SharedMemory


@dataclass(frozen=True)
class Config:
    """The run. `content` is the bytes of the data set, for workers that do not have it.

    `numerics`: the fingerprint that workers must have; `libraries`: what explains a difference; `proof`: what they must
    compute from `nonce`. `known`: names that workers had in earlier sessions of the run, which are not given again.
    `tallied`: how many outputs the tally of a validation has, 0 if there is none.
    """

    job: Job
    train_samples: int
    validation_samples: int
    content: m.Frame
    session: str
    numerics: str
    policy: Policy = field(default_factory=Policy)
    known: Collection[str] = ()
    libraries: str = ""
    nonce: int = 0
    proof: str = ""
    tallied: int = 0


@dataclass(frozen=True)
class Environment:
    """Everything outside. `notice` takes what is to be recorded; `interrupted` tells whether the run is to stop.

    `arbiter` computes a block in this process, with the parameters that it is given: workers could not agree on it.
    """

    endpoint: Endpoint
    supervisor: Supervisor
    clock: Clock
    notice: Callable[[Notice], None]
    interrupted: Callable[[], bool]
    arbiter: Callable[[m.Work, Block, Vector], Sums]
    shared_memory: SharedMemory | None = None
