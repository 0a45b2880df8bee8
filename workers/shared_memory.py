"""A worker's part of the memory it shares with the coordinator on the same machine."""

from typing import Self

from engine.nn.parameters import Vector
from engine.wire.shared_memory import SLOTS, SharedMemory, read_token


class WorkerMemory:
    """What worker number `worker` of `workers` sees of the memory in the inherited `descriptor`."""

    def __init__(self, descriptor: int, worker: int, workers: int) -> None:
        self.token = read_token(descriptor, worker)
        self._descriptor = descriptor
        self._worker = worker
        self._workers = workers

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the mail that "DESCRIPTOR:WORKER:WORKERS" stands for."""
        return cls(*map(int, text.split(":")))

    def open(self, size: int) -> None:
        """Look into the memory, now that the number of parameters is known."""
        self._box = SharedMemory(self._descriptor, self._workers)
        self._box.open(size)
        self._slots = [self._box.gradient(self._worker, slot) for slot in range(SLOTS)]

    def parameters(self) -> Vector:
        """Return the parameters that the coordinator has put there."""
        return self._box.parameters()

    def slot(self, wanted: int) -> int:
        """Return the slot `wanted`, from 1, or 0 if there are not so many."""
        return wanted if wanted <= SLOTS else 0

    def gradient(self, slot: int) -> Vector:
        """Return the vector of slot `slot`, from 1."""
        return self._slots[slot - 1]
