"""A worker's part of the memory it shares with the coordinator on the same machine."""

from typing import Self

from engine.kernels.table import Counts
from engine.nn.parameters import Vector
from engine.wire.shared_memory import PLACES, SharedMemory, read_token


class WorkerMemory:
    """What worker number `worker` of `workers` sees of the memory in the inherited `descriptor`."""

    def __init__(self, descriptor: int, worker: int, workers: int) -> None:
        self.token = read_token(descriptor, worker)
        self._memory = SharedMemory(descriptor, workers)
        self.worker = worker
        self._workers = workers

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the memory that "DESCRIPTOR:WORKER:WORKERS" stands for."""
        return cls(*map(int, text.split(":")))

    def open(self, size: int) -> None:
        """Map the memory, now that the number of parameters is known."""
        self._memory.open(size)
        self.words: Counts = self._memory.words()
        self._gradients = [self._memory.gradient(self.worker, place) for place in range(PLACES)]

    def parameters(self, version: int) -> Vector:
        """Return the parameters after step `version`, which the coordinator has written; to be read only."""
        return self._memory.parameters(version)

    def gradient(self, slot: int) -> Vector:
        """Return the vector in `slot`, which counts from 1 as in messages; sums come behind the slots of blocks."""
        return self._gradients[slot - 1]

    def gradient_of(self, worker: int, slot: int) -> Vector | None:
        """Return the vector in `slot` of any worker, to be read only; None if there is none."""
        if not (0 <= worker < self._workers and 1 <= slot <= PLACES):
            return None
        return self._memory.gradient(worker, slot - 1)
