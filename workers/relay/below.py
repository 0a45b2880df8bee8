"""The round of a relay: over its share alone, with the layers and the scheduler of any coordinator."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from engine.compute.tree import Block
from engine.coordinator import rounds
from engine.coordinator.active_round import ActiveRound
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import VALIDATION_CAP
from engine.coordinator.dispatcher import Dispatcher
from engine.coordinator.inbox import Inbox
from engine.coordinator.membership import Done, Membership
from engine.coordinator.peers import Peers
from engine.coordinator.reduction import ShareReduction
from engine.data import Sampler
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire import relays
from engine.wire.shared_memory import NODES
from workers.relay.events import Summed


class Below:
    """Computes one share after the other with the processes at the other end of the endpoint."""

    def __init__(self, config: Config, environment: Environment) -> None:
        self._config = config
        members = Membership()
        self._peers = Peers(config, environment, members)
        self._dispatcher = Dispatcher(environment, rounds.Scheduler(config.policy.leases), self._peers, members)
        self._inbox = Inbox(environment.clock, self._peers, self._dispatcher)
        self._sampler = Sampler(config.train_samples, config.job.batch_size, config.job.seed)
        self._out = config.job.model.layout().zeros()
        self._number = 0
        self._part: ShareReduction | None = None
        self._contributions: list[tuple[Block, Done]] = []

    def begin(self, work: m.Work, parameters: Vector) -> None:
        """Begin the share of `work`, and return at once. ProtocolError if there is no such share."""
        job, training = self._config.job, work.kind is m.WorkKind.TRAIN
        samples = len(self._sampler.indices(work.step)) if training else self._config.validation_samples
        share = work.start, work.stop
        self._part = part = ShareReduction(
            samples, job.microbatch, self._out if training else None, share, self._config.tallied
        )
        if part.total != work.total:
            raise ProtocolError(f"a round of {work.total} micro-batches, but there are {part.total}")
        self._number += 1
        own = replace(work, session=self._config.session, round=self._number, attempt=0, slot=m.NO_SLOT)
        active = ActiveRound(own, parameters, part)
        self._contributions = active.counted
        active.adding = training and 2 * part.total <= NODES
        cap = part.total if training else VALIDATION_CAP
        self._dispatcher.begin(active, rounds.Begin(self._number, part.total, work.version, cap, part=share))

    def wait(self) -> None:
        """Wait briefly for something to happen, and deal with it."""
        self._inbox.wait()

    def summed(self) -> Iterator[Summed]:
        """Yield the blocks of the share of which the sums are there since the last call; use these at once."""
        for block, sums in self._part.take() if self._part else ():
            parts = self._parts(block)
            seconds = sum(part.seconds for part in parts.values())
            yield Summed(block, sums, seconds / max(1, self._dispatcher.scheduler.processes()), parts)

    def _parts(self, block: Block) -> dict[str, relays.Contribution]:
        """Return what each process did for `block` in training, those of relays that have joined included."""
        found: defaultdict[str, relays.Contribution] = defaultdict(lambda: relays.Contribution(0, 0, 0.0, 0.0))
        for (start, stop), one in self._contributions:
            if block[0] <= start < stop <= block[1]:
                before = found[one.worker]
                seconds, cpu = before.seconds + one.seconds, max(before.cpu, one.cpu)
                found[one.worker] = relays.Contribution(0, before.images + one.images, seconds, cpu)
        return dict(found)

    def close(self) -> None:
        """Tell the processes that the run is over."""
        self._peers.close()
