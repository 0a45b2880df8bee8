"""Shared memory through which vectors pass between the coordinator and local workers; messages still go by socket.

A socket copies every byte through the kernel twice. Here the coordinator writes the parameters once for all workers,
which read them where they are: into one vector and the other by turns, so that the step which follows is not written
over what a worker computes with. Every worker has slots of its own for gradients, which it writes and the coordinator
reads. A slot is read only
after a message says that it is written, and not written again before that round is over, so nothing needs a lock.

Workers add: each has places for sums of blocks of its own and of others', which it forms in new places only. Words tell
where the sum of a node of the tree is, once it is there: round, worker and place in one word, which is written at once.

The memory has no name (memfd_create): a worker inherits its descriptor, and it is gone with the last process.
"""

import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np

from engine.kernels.table import Counts
from engine.nn.parameters import Vector

FLOAT = np.dtype("<f4")  # of vectors, here and in messages
SLOTS = 4  # gradients of a worker in one round; further blocks go by socket
SUMS = 6  # sums that a worker may form in one round
PLACES = SLOTS + SUMS  # vectors of a worker
VERSIONS = 2  # vectors of parameters
NODES = 4096  # words: in a round with more nodes workers do not add
WORD = 8  # bytes
TOKEN = 16  # bytes; a worker that knows its token proves that it has the memory


class SharedMemory:
    """The memory of a run: two vectors of parameters, and `PLACES` gradients for each of `workers` workers.

    `descriptor` is a file descriptor that this process owns. Vectors have a size once `open` has been called.
    """

    def __init__(self, descriptor: int, workers: int) -> None:
        self.descriptor = descriptor
        self.workers = workers

    @classmethod
    def create(cls, workers: int) -> Self:
        """Make the memory, with a random token for each worker and no room for vectors yet."""
        made = cls(os.memfd_create("gradsum"), workers)
        os.pwrite(made.descriptor, secrets.token_bytes(TOKEN * workers), 0)
        return made

    def open(self, size: int) -> None:
        """Make room for vectors of `size` float32 values, if there is none yet. Pages never written take no memory."""
        self._size = size
        self._stride = -(-4 * size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._words = -(-TOKEN * self.workers // mmap.PAGESIZE) * mmap.PAGESIZE
        self._start = self._words + -(-WORD * NODES // mmap.PAGESIZE) * mmap.PAGESIZE
        length = self._start + (VERSIONS + PLACES * self.workers) * self._stride
        if os.fstat(self.descriptor).st_size < length:
            os.ftruncate(self.descriptor, length)
        self._memory = mmap.mmap(self.descriptor, length)
        self._parameters = [self._vector(number) for number in range(VERSIONS)]
        self._read_only: dict[tuple[int, int], memoryview] = {}

    def owner(self, token: str) -> int | None:
        """Return the number of the worker that has `token`."""
        return next((w for w in range(self.workers) if read_token(self.descriptor, w) == token), None)

    def parameters(self, version: int) -> Vector:
        """Return the vector of the parameters after step `version`, which the coordinator writes."""
        return self._parameters[version % VERSIONS]

    def words(self) -> Counts:
        """Return the words of the nodes, which workers write and read."""
        return np.frombuffer(self._memory, np.int64, NODES, self._words)

    def gradient(self, worker: int, place: int) -> Vector:
        """Return the vector in `place`, from 0, which worker number `worker` writes: slots first, then sums."""
        return self._vector(VERSIONS + PLACES * worker + place)

    def read_only(self, worker: int, place: int) -> memoryview:
        """Return the bytes of the gradient in `place`, from 0, of worker number `worker`."""
        found = self._read_only.get((worker, place))
        if found is None:
            found = self.gradient(worker, place).data.cast("B").toreadonly()
            self._read_only[worker, place] = found
        return found

    def close(self) -> None:
        """Close the descriptor. The memory is freed with the last vector in it."""
        os.close(self.descriptor)

    def _vector(self, number: int) -> Vector:
        return np.frombuffer(self._memory, FLOAT, self._size, self._start + number * self._stride)


def read_token(descriptor: int, worker: int) -> str:
    """Return the token of worker number `worker`; the size of vectors need not be known for that."""
    return os.pread(descriptor, TOKEN, TOKEN * worker).hex()


@contextmanager
def shared_memory_for(workers: int, wanted: bool) -> Iterator[SharedMemory | None]:
    """Make shared memory if it is wanted and this system has it; otherwise vectors travel by socket."""
    if not wanted or not hasattr(os, "memfd_create"):
        yield None
        return
    shared_memory = SharedMemory.create(workers)
    try:
        yield shared_memory
    finally:
        shared_memory.close()
