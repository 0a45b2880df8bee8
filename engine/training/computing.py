"""What computes the gradients of runs: this process alone, or workers.

A run without workers imports nothing of networks and processes, which takes as long as several steps.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.coordinator.notices import Notice
from engine.coordinator.serial import Serial
from engine.coordinator.source import Source
from engine.settings import Settings
from engine.system.clock import Clock
from engine.system.descriptors import need_descriptors
from engine.training.context import RunContext
from engine.training.run import Run
from engine.training.state import TrainingState

if TYPE_CHECKING:
    from engine.training.cluster import Cluster

DESCRIPTORS = 16  # of a run without workers: database, checkpoint


@contextmanager
def cluster_for(
    settings: Settings, clock: Clock, one_size: bool = True, fork: bool = False
) -> Iterator["Cluster | None"]:
    """Start the workers, and make sure at the end that they are gone; None if this process is to compute alone.

    `one_size`, `fork`: as `engine.training.cluster.started` has them.
    """
    if not settings.workers and not settings.elsewhere:
        need_descriptors(DESCRIPTORS, "a run")
        yield None
        return
    from engine.training.cluster import started  # noqa: PLC0415

    with started(settings, clock, one_size, fork) as cluster:
        yield cluster


@contextmanager
def source_for(
    run: Run, cluster: "Cluster | None", context: RunContext, notice: Callable[[Notice], None], known: Collection[str]
) -> Iterator[Source]:
    """Set up what computes the gradients, wait until it can, and tell it when the run is over.

    `known`: names of workers that the run had before.
    """
    if cluster is None:
        source = Serial(run.job(), run.data)
        context.limit.start()
        yield source
        return
    from engine.training.cluster import coordinator_for  # noqa: PLC0415

    with coordinator_for(run, cluster, context, notice, known) as coordinator:
        yield coordinator


@contextmanager
def trained_in_place(state: TrainingState, cluster: "Cluster | None") -> Iterator[None]:
    """Keep the parameters of `state` in shared memory meanwhile, if there is any: what is written there is published.

    A worker that still computes with them when they are written over, two steps later, is one whose answer came too
    late to count.
    """
    if cluster is None or cluster.shared_memory is None:
        yield
        return
    own, spare = state.parameters, state.spare
    step, shared = state.progress.step, cluster.shared_memory
    state.parameters, state.spare = shared.parameters(step), shared.parameters(step + 1)
    state.parameters[:] = own
    try:
        yield
    finally:
        own[:] = state.parameters
        state.parameters, state.spare = own, spare
