"""Real local workers and a coordinator, as a training run has them, and the serial evaluation they must equal."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.compute.fingerprint import fingerprint
from engine.compute.job import Job
from engine.coordinator.arbiter import Arbiter
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.notices import GONE, Notice
from engine.coordinator.policy import Policy
from engine.coordinator.serial import Serial
from engine.coordinator.supervisor import Supervisor
from engine.data import Dataset, Normalisation, Split, cache
from engine.launch.fork_server import ForkServer
from engine.launch.local_workers import LIMITS, Limits, LocalWorkers
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.nn.layers import Dense, Dropout, Flatten
from engine.nn.model import Model
from engine.system.blas import one_blas_thread
from engine.system.clock import MONOTONIC
from engine.wire import Listener
from engine.wire.dialers import local_address
from engine.wire.shared_memory import SharedMemory, shared_memory_for
from engine.wire.tracebacks import TRACEBACK_LIMIT

MODEL = Model((Flatten(), Dropout(0.5), Dense(3)), shape=(4, 4, 1))
LOST = "its connection was lost"
NONCE = 4711


def descriptors() -> int:
    gc.collect()  # what other tests have left
    return len(list(Path("/proc/self/fd").iterdir()))


def exists(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


class Cluster:
    """A coordinator, and the serial evaluation that it must equal."""

    def __init__(
        self,
        listener: Listener,
        supervisor: Supervisor,
        numerics: str,
        shared_memory: SharedMemory | None,
        policy: Policy,
    ) -> None:
        rng = np.random.default_rng(3)
        train, test = (
            Split(rng.integers(0, 256, (n, 4, 4, 1), np.uint8), rng.integers(0, 3, n, np.int32)) for n in (60, 23)
        )
        data = Dataset("random", ("a", "b", "c"), train, test)
        normalisation = Normalisation.of(train.images)
        job = Job(MODEL, cache.store(data), normalisation, batch_size=22, microbatch=4, seed=1, augment=False)
        self.notices: list[Notice] = []
        arbiter, notice = Arbiter(job, data), self.notices.append
        config = Config(
            *(job, 60, 23, cache.content(job.data), "s", numerics, policy),
            nonce=NONCE,
            proof=arbiter.prove(NONCE),
            tallied=job.tallied,
        )
        self.coordinator = Coordinator(
            config, Environment(listener, supervisor, MONOTONIC, notice, lambda: False, arbiter, shared_memory)
        )
        self.serial = Serial(job, data)

    def check(self, step: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Compare a step, and the validation after it, with the serial path, to the bit.

        `meanwhile` is called when the shares of the step have been sent.
        """
        before, after = (np.random.default_rng(n).random(MODEL.layout().size, np.float32) for n in (step, step + 1))
        out, expected = np.zeros_like(before), np.zeros_like(before)
        pending = self.coordinator.start(step, before, out)
        meanwhile()
        sums = pending.result()
        reference = self.serial.start(step, before, expected).result()
        assert sums.gradient is not None
        assert (sums.loss, sums.correct, sums.gradient.tobytes()) == (
            reference.loss,
            reference.correct,
            expected.tobytes(),
        )
        assert self.coordinator.validate(step, after) == self.serial.validate(step, after)

    def gone(self) -> list[str]:
        return [notice.text for notice in self.notices if notice.kind in GONE]


class LocalCluster(Cluster):
    """With workers of its own."""

    def __init__(
        self, listener: Listener, workers: LocalWorkers, numerics: str, shared_memory: SharedMemory, policy: Policy
    ) -> None:
        super().__init__(listener, workers, numerics, shared_memory, policy)
        self.workers = workers


@contextmanager
def cluster(
    count: int,
    numerics: str | None = None,
    policy: Policy | None = None,
    limits: Limits = LIMITS,
    local: str = "unix",
    server: ForkServer | None = None,
) -> Iterator[LocalCluster]:
    """Start workers as a training run does, with the kind of sockets that `local` names."""
    with rendezvous_folder() as folder, one_blas_thread(), shared_memory_for(count, wanted=True) as shared_memory:
        assert shared_memory is not None
        shared_memory.open(MODEL.layout().size)
        address = local_address(folder / SOCKET, local)
        with (
            LocalWorkers(address, count, shared_memory, limits=limits, server=server) as workers,
            Listener(address, max(4 * MODEL.layout().size, TRACEBACK_LIMIT)) as listener,
        ):
            yield LocalCluster(listener, workers, numerics or fingerprint(), shared_memory, policy or Policy())
    assert not folder.exists()
