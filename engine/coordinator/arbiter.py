"""What the coordinator computes itself: single blocks, when no two workers agree, and what all must agree with."""

from collections.abc import Callable
from functools import cached_property

from engine.compute.evaluator import Evaluator
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.compute.tree import Block
from engine.coordinator.rounds import Leases
from engine.data import Dataset
from engine.nn.parameters import Vector
from engine.system.clock import Clock
from engine.wire.messages import Work, WorkKind


class Arbiter:
    """Computes blocks in this process, with which workers must agree to join: so its bits are right by definition."""

    def __init__(self, job: Job, data: Dataset) -> None:
        self._job = job
        self._data = data

    @cached_property
    def _evaluator(self) -> Evaluator:
        """Built when first needed: most runs never need it."""
        return Evaluator(self._job, self._data)

    def prove(self, nonce: int) -> str:
        """Return the proof that workers must give for `nonce`: see `Evaluator.prove`. What that takes is not kept."""
        return Evaluator(self._job, self._data).prove(nonce)

    def __call__(self, work: Work, block: Block, parameters: Vector) -> Sums:
        """Return the sums over `block` of the round that `work` belongs to."""
        self._evaluator.prepare(parameters)
        if work.kind is WorkKind.VALIDATE:
            return self._evaluator.split_block(block)
        return self._evaluator.train_block(work.step, block, self._job.model.layout().zeros())


def timed_proof(prove: Callable[[int], str], nonce: int, clock: Clock) -> tuple[str, Leases]:
    """Return the proof, and by the seconds that it took, how long to wait for workers of unknown speed."""
    began = clock.now()
    proof = prove(nonce)
    return proof, Leases().after_proof(clock.now() - began)
