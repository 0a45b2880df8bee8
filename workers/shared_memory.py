"""A worker's part of the memory it shares with the coordinator on the same machine."""

from typing import Self

from engine.nn.parameters import Vector
from engine.wire.shared_memory import SLOTS, SharedMemory, read_token


class WorkerMemory:
    """What worker number `worker` of `workers` sees of the memory in the inherited `descriptor`."""

    def __init__(self, descriptor: int, worker: int, workers: int) -> None:
        self.token = read_token(descriptor, worker)
        self._memory = SharedMemory(descriptor, workers)
        self._worker = worker

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the memory that "DESCRIPTOR:WORKER:WORKERS" stands for."""
        return cls(*map(int, text.split(":")))

    def open(self, size: int) -> None:
        """Map the memory, now that the number of parameters is known."""
        self._memory.open(size)
        self._gradients = [self._memory.gradient(self._worker, slot) for slot in range(SLOTS)]

    def parameters(self) -> Vector:
        """Return the parameters that the coordinator has written."""
        return self._memory.parameters()

    def gradient(self, slot: int) -> Vector:
        """Return the vector in `slot`, which counts from 1 to `SLOTS` as in messages."""
        return self._gradients[slot - 1]
