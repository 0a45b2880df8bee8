"""Who computes: local workers, and the address where they and others join. They stay from one run to the next."""

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.compute.fingerprint import fingerprint, libraries
from engine.compute.tally import MAX_TALLIED, WIRE, size_of
from engine.coordinator.arbiter import Arbiter, timed_proof
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.policy import Policy
from engine.coordinator.source import Source
from engine.coordinator.supervisor import Supervisor
from engine.data import cache
from engine.launch.fork_server import fork_server
from engine.launch.launcher import Join, Launcher
from engine.launch.launchers import launcher_for
from engine.launch.local_workers import LocalWorkers
from engine.launch.placed_workers import PlacedWorkers
from engine.launch.remote_access import RemoteAccess, remote_access_for
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.settings import Settings
from engine.system.allocator import keep_freed_memory
from engine.system.clock import Clock
from engine.system.descriptors import need_descriptors
from engine.training.absent_workers import AbsentWorkers
from engine.training.context import RunContext
from engine.training.reporter import Reporter
from engine.training.run import Run
from engine.training.storage import LOGS
from engine.wire import Listener
from engine.wire.dialers import local_address
from engine.wire.relays import CREDITS_LIMIT
from engine.wire.shared_memory import SharedMemory, shared_memory_for
from engine.wire.tracebacks import TRACEBACK_LIMIT

TALLY_LIMIT = WIRE.itemsize * size_of(MAX_TALLIED)  # bytes
# File descriptors: of a run that has workers (database, checkpoint, sockets, threads); and of each worker: a pipe, its
# standard error, what tells of its end, its connection, and one more since only a quarter may be strangers.
SHARED, PER_WORKER = 32, 5


@dataclass
class Cluster:
    """Local workers that are starting, where they will look for the coordinator, and how others join.

    The listener is there from the first run on, and keeps the port that it got. Then `launcher`, if there is one,
    places workers elsewhere, `wanted` in all, of which `useful` have work.
    """

    address: str
    workers: LocalWorkers
    shared_memory: SharedMemory | None
    remote_access: RemoteAccess | None
    closing: ExitStack  # in which the listener is closed
    clock: Clock
    listener: Listener | None = None
    joined_at: str = ""  # the address for workers elsewhere
    launcher: Launcher | None = None
    wanted: int | None = None
    useful: int = 1
    placed: PlacedWorkers | None = None

    def listen(self, size: int, reporter: Reporter, folder: Path) -> Listener:
        """Return the listener; the first call opens it, for models of at most `size` parameters.

        Logs of workers elsewhere go into `folder`.
        """
        if self.listener is None:
            self.listener = self.closing.enter_context(
                Listener(self.address, max(4 * size, TRACEBACK_LIMIT, TALLY_LIMIT, CREDITS_LIMIT), clock=self.clock)
            )
            self.closing.callback(self.listener.see_off)
            if self.remote_access:
                self.joined_at = self.remote_access.listen(self.listener)
                if self.launcher:
                    self._place(self.launcher, self.remote_access, reporter, folder)
                else:
                    reporter.listening(self.remote_access.command(self.joined_at))
        return self.listener

    def _place(self, launcher: Launcher, access: RemoteAccess, reporter: Reporter, folder: Path) -> None:
        """Let the launcher place workers, which end with the cluster."""
        if launcher.remark:
            reporter.notice(launcher.remark)
        way_in = access.keys.way_in() if access.keys else b""
        join = Join(self.joined_at, way_in, (folder / LOGS).absolute(), self.wanted, self.useful)
        self.placed = PlacedWorkers(launcher, join, reporter.placed)
        self.closing.callback(self.placed.close)

    @property
    def supervisor(self) -> Supervisor:
        """Who looks after the workers."""
        return self.placed or self.workers

    def waiting(self, wanted: int, reporter: Reporter) -> AbsentWorkers | None:
        """Return what says that `wanted` workers are waited for, None where none can come."""
        if self.listener is None or not self.joined_at:
            return None
        return AbsentWorkers(self.joined_at, wanted, self.listener, reporter, self.clock)


@contextmanager
def started(settings: Settings, clock: Clock, one_size: bool = True, fork: bool = False) -> Iterator[Cluster]:
    """Start the workers, and make sure at the end that they are gone.

    `one_size`: every run will have a model of the same size, as the places of vectors in shared memory depend on it.
    `fork`: workers may be forks of this process.
    """
    launcher = launcher_for(settings.on) if settings.on and settings.placed else None
    count = 0 if launcher else settings.workers or 0
    expected = max(settings.workers or 0, settings.min_workers or 0)
    need_descriptors(SHARED + PER_WORKER * expected, f"a run with {expected} worker{'s' * (expected != 1)}")
    wanted = settings.shared_memory and count > 0 and one_size
    with (
        fork_server(fork) as server,
        rendezvous_folder() as folder,
        shared_memory_for(count, wanted) as shared_memory,
    ):
        if server:
            server.leave(folder)  # whatever happens to this process, also if all workers are elsewhere
        remote_access = remote_access_for(settings, folder)
        address = local_address(folder / SOCKET, settings.local)
        with (
            LocalWorkers(address, count, shared_memory, clock, server=server) as workers,
            ExitStack() as stack,
        ):
            cluster = Cluster(address, workers, shared_memory, remote_access, stack, clock, launcher=launcher)
            cluster.wanted, cluster.useful = settings.workers, settings.microbatches
            yield cluster


@contextmanager
def coordinator_for(
    run: Run, cluster: Cluster, context: RunContext, notice: Callable[[Notice], None], known: Collection[str]
) -> Iterator[Source]:
    """Set up the coordinator, wait until enough workers are ready, and tell them when the run is over.

    `known`: names of workers that the run had before. The time limit begins when our own processes are ready; it may be
    reached while others are waited for.
    """
    keep_freed_memory()
    with cluster.workers.left_alone():
        coordinator = _coordinator(run, cluster, context, notice, known)
        try:
            own = 0 if cluster.launcher else run.settings.workers or 0
            wanted = run.settings.min_workers or own or 1
            coordinator.gather(min(own, wanted))
            context.limit.start()
            waiting = cluster.waiting(wanted, context.reporter)
            coordinator.gather(wanted, waiting.look if waiting else None)
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
    proof, leases = timed_proof(arbiter.prove, nonce, context.clock)
    config = Config(
        job=job,
        train_samples=len(run.data.train),
        validation_samples=len(run.data.validating),
        content=content,
        session=secrets.token_hex(16),
        numerics=fingerprint(),
        policy=Policy(run.settings.audit, run.settings.min_workers or 1, leases),
        known=known,
        tallied=job.tallied,
        libraries=libraries(),
        nonce=nonce,
        proof=proof,
    )
    cluster.workers.note = lambda text: notice(Notice(NoticeKind.ENDED, None, text))
    endpoint = cluster.listen(size, context.reporter, run.folder)
    environment = Environment(
        endpoint=endpoint,
        supervisor=cluster.supervisor,
        clock=context.clock,
        notice=noting(cluster.placed, notice) if cluster.placed else notice,
        interrupted=context.must_stop,
        arbiter=arbiter,
        shared_memory=shared_memory,
    )
    return Coordinator(config, environment)


def noting(placed: PlacedWorkers, take: Callable[[Notice], None]) -> Callable[[Notice], None]:
    """Return what takes a run's notices, and tells `placed` of workers that join; `take` hears of ends of places."""

    def pass_on(notice: Notice) -> None:
        if notice.kind is NoticeKind.JOINED:
            placed.joined()
        take(notice)

    placed.note = lambda text: take(Notice(NoticeKind.ENDED, None, text))
    return pass_on
