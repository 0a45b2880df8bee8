"""Who computes: local workers, and the address where they and others join. They stay from one run to the next."""

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from engine.compute.fingerprint import fingerprint, libraries
from engine.coordinator.arbiter import Arbiter
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.notices import Notice
from engine.coordinator.policy import Policy
from engine.coordinator.serial import Serial
from engine.coordinator.source import Source
from engine.data import cache
from engine.launch.fork_server import fork_server
from engine.launch.local_workers import LocalWorkers
from engine.launch.remote_access import RemoteAccess, remote_access_for
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.settings import Settings
from engine.system.allocator import keep_freed_memory
from engine.system.clock import Clock
from engine.system.descriptors import need_descriptors
from engine.training.context import RunContext
from engine.training.reporter import Reporter
from engine.training.run import Run
from engine.training.state import TrainingState
from engine.wire import Listener
from engine.wire.dialers import local_address
from engine.wire.messages import TRACEBACK_LIMIT
from engine.wire.shared_memory import SharedMemory, shared_memory_for

# File descriptors: of a run without workers (database, checkpoint); of one that has some (sockets, threads), as well;
# and of each worker: a pipe, its standard error, what tells of its end, its connection, and one more since only a
# quarter may be strangers.
ALONE, SHARED, PER_WORKER = 16, 32, 5


@dataclass
class Cluster:
    """Local workers that are starting, where they will look for the coordinator, and how others join.

    The listener is there from the first run on, and keeps the port that it got.
    """

    address: str
    workers: LocalWorkers
    shared_memory: SharedMemory | None
    remote_access: RemoteAccess | None
    closing: ExitStack  # in which the listener is closed
    clock: Clock
    listener: Listener | None = None

    def listen(self, size: int, reporter: Reporter) -> Listener:
        """Return the listener; the first call opens it, for models of at most `size` parameters."""
        if self.listener is None:
            self.listener = self.closing.enter_context(
                Listener(self.address, max(4 * size, TRACEBACK_LIMIT), clock=self.clock)
            )
            if self.remote_access:
                bound = self.listener.bind(str(self.remote_access.address.numeric()), self.remote_access.keys)
                reporter.listening(self.remote_access.command(bound))
        return self.listener


@contextmanager
def cluster_for(settings: Settings, clock: Clock, one_size: bool = True) -> Iterator[Cluster | None]:
    """Start the workers, and make sure at the end that they are gone; None if this process is to compute alone.

    `one_size`: every run will have a model of the same size, as the places of vectors in shared memory depend on it.
    """
    count = settings.workers or 0
    if not count and not settings.bind:
        need_descriptors(ALONE, "a run")
        yield None
        return
    expected = max(count, settings.min_workers or 0)
    need_descriptors(SHARED + PER_WORKER * expected, f"a run with {expected} worker{'s' * (expected != 1)}")
    wanted = settings.shared_memory and count > 0 and one_size
    with rendezvous_folder() as folder, shared_memory_for(count, wanted) as shared_memory:
        remote_access = remote_access_for(settings, folder)
        address = local_address(folder / SOCKET, settings.local)
        with (
            fork_server() if count else nullcontext() as server,
            LocalWorkers(address, count, shared_memory, clock, server=server) as workers,
            ExitStack() as stack,
        ):
            yield Cluster(address, workers, shared_memory, remote_access, stack, clock)


@contextmanager
def trained_in_place(state: TrainingState, cluster: Cluster | None) -> Iterator[None]:
    """Keep the parameters of `state` in shared memory meanwhile, if there is any: what is written there is published.

    A worker that still copies them when they change is one whose answer came too late to count.
    """
    if cluster is None or cluster.shared_memory is None:
        yield
        return
    own, shared = state.parameters, cluster.shared_memory.parameters()
    shared[:] = own
    state.parameters = shared
    try:
        yield
    finally:
        own[:] = shared
        state.parameters = own


@contextmanager
def source_for(
    run: Run, cluster: Cluster | None, context: RunContext, notice: Callable[[Notice], None], known: Collection[str]
) -> Iterator[Source]:
    """Set up what computes the gradients, wait until it can, and tell it when the run is over.

    `known`: names of workers that the run had before. The time limit begins when our own processes are ready; it may be
    reached while others are waited for.
    """
    if cluster is None:
        source = Serial(run.job(), run.data)
        context.limit.start()
        yield source
        return
    keep_freed_memory()
    coordinator = _coordinator(run, cluster, context, notice, known)
    try:
        own = run.settings.workers or 0
        wanted = run.settings.min_workers or own or 1
        coordinator.gather(min(own, wanted))
        context.limit.start()
        coordinator.gather(wanted)
        yield coordinator
    finally:
        coordinator.close()


def _coordinator(
    run: Run, cluster: Cluster, context: RunContext, notice: Callable[[Notice], None], known: Collection[str]
) -> Coordinator:
    job, size, shared_memory = run.job(), run.model.layout().size, cluster.shared_memory
    if shared_memory:
        shared_memory.open(size)
    # Mapped now: another process that makes room in the cache may delete the file.
    content = cache.content(job.data)
    arbiter, nonce = Arbiter(job, run.data), secrets.randbelow(1 << 53)
    config = Config(
        job=job,
        train_samples=len(run.data.train),
        test_samples=len(run.data.validating),
        content=content,
        session=secrets.token_hex(16),
        numerics=fingerprint(),
        policy=Policy(run.settings.audit, run.settings.min_workers or 1),
        known=known,
        libraries=libraries(),
        nonce=nonce,
        proof=arbiter.prove(nonce),
    )
    environment = Environment(
        endpoint=cluster.listen(size, context.reporter),
        supervisor=cluster.workers,
        clock=context.clock,
        notice=notice,
        interrupted=context.must_stop,
        arbiter=arbiter,
        shared_memory=shared_memory,
    )
    return Coordinator(config, environment)
