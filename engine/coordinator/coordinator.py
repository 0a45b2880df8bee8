"""The source of sums that are computed by workers: begins rounds, and waits until they are complete."""

from collections.abc import Callable
from functools import partial

import numpy as np

from engine.compute.sums import Sums, bits_of
from engine.coordinator import rounds
from engine.coordinator.active_round import ActiveRound
from engine.coordinator.config import Config, Environment
from engine.coordinator.dispatcher import Dispatcher
from engine.coordinator.event_log import attach_events
from engine.coordinator.inbox import Inbox
from engine.coordinator.membership import Membership
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.peers import Peers
from engine.coordinator.policy import WorkerGate
from engine.coordinator.reduction import Reduction
from engine.coordinator.source import Pending, Timing, WorkerReport
from engine.data import Sampler
from engine.errors import InterruptedRoundError, WorkersError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire.shared_memory import NODES

DOUBLED = 100  # rounds in which every block is computed twice, after one in which a wrong gradient had no culprit
VALIDATION_CAP = 32  # micro-batches in a share of a validation: small enough that the fast wait little for the slow


class Coordinator:
    """Gets the sums of each batch from worker processes; a `Source` for the training loop.

    It is the top of five layers, each of which knows only those below it: coordinator (rounds), inbox (messages become
    events), dispatcher (instructions are carried out), peers (endpoint and supervisor), membership (who is there).
    """

    def __init__(self, config: Config, environment: Environment, scheduler: rounds.Scheduler | None = None) -> None:
        self._config = config
        self._environment = environment
        self._members = Membership(config.known)
        self._peers = Peers(config, environment, self._members)
        self._scheduler = rounds.Scheduler(config.policy.leases) if scheduler is None else scheduler
        self._dispatcher = Dispatcher(environment, self._scheduler, self._peers, self._members)
        self._inbox = Inbox(environment.clock, self._peers, self._dispatcher)
        self._gate = WorkerGate(environment.clock, environment.notice)
        self._sampler = Sampler(config.train_samples, config.job.batch_size, config.job.seed)
        self._number = 0
        self._twice = config.policy.twice  # rounds of training to come in which every block is computed twice
        self.timing = Timing()

    def gather(self, count: int, waiting: Callable[[int], None] | None = None) -> None:
        """Wait until `count` workers are ready, or the run is to stop; tell `waiting` now and then how many are."""
        while self._scheduler.processes() < count and not self._environment.interrupted():
            self.wait()
            if waiting:
                waiting(self._scheduler.processes())

    def wait(self) -> None:
        """Wait briefly for something to happen, and deal with it."""
        self._explained(self._inbox.wait)

    def _explained(self, act: Callable[[], None]) -> None:
        """Add the events that led to it to an unexpected error of `act`."""
        try:
            act()
        except WorkersError:  # has nothing to do with rounds
            raise
        except Exception as error:
            attach_events(error, self._scheduler.events())
            raise

    def workers(self) -> list[WorkerReport]:
        """Return what each worker that is ready has done."""
        return self._members.reports()

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers."""
        return self._members.cpu_seconds()

    def close(self) -> None:
        """Tell the workers that the run is over."""
        self._peers.close()

    def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
        """Send the shares of the batch of `step` to the workers, and return at once.

        If there are too few workers, the round begins when its result is asked for: the caller may have things to do.
        """
        active = self._training(step, parameters, out)
        active.twice, self._twice = self._twice > 0, max(self._twice - 1, 0)
        if self._scheduler.processes() >= self._config.policy.least:
            self._begin(active)
        return Pending(partial(self._gradient, active))

    def verify(self, step: int, parameters: Vector, sums: Sums) -> Sums | None:
        """Compute the sums over the batch of `step` again, as `Source.verify` says; a worker that lies is refused."""
        if sums.gradient is None:
            raise ValueError("only the sums of a training step can be verified")
        before = bits_of(sums)
        active = self._training(step, parameters, np.empty_like(sums.gradient))
        active.twice, active.credited = True, bytearray(b"\1" * active.work.total)  # with the images
        right = self._gradient(active)
        text = f"step {step}: every block was computed again, twice"
        if bits_of(right) == before:
            self._environment.notice(Notice(NoticeKind.CONFIRMED, None, f"{text}, with the same bits"))
            return None
        text += ": the gradient was wrong, and is now right"
        if active.expelled:
            text += f"; wrong bits came from {', '.join(active.expelled)}"
        else:
            self._twice = DOUBLED
            text += f"; which worker sent it is not known, so all blocks of the next {DOUBLED} steps are computed twice"
        self._environment.notice(Notice(NoticeKind.CORRECTED, None, text))
        return right

    def _training(self, step: int, parameters: Vector, out: Vector) -> ActiveRound:
        """Return the round of the batch of `step`, whose gradient is added up in `out`."""
        sums = Reduction(len(self._sampler.indices(step)), self._config.job.microbatch, out)
        return ActiveRound(self._work(m.WorkKind.TRAIN, step, step - 1, sums.total), parameters, sums)

    def validate(self, step: int, parameters: Vector) -> Sums:
        """Return loss and correct answers over the whole validation part, with the parameters after `step`."""
        sums = Reduction(self._config.validation_samples, self._config.job.microbatch, None, self._config.tallied)
        return self._finish(ActiveRound(self._work(m.WorkKind.VALIDATE, step, step, sums.total), parameters, sums))

    def _gradient(self, active: ActiveRound) -> Sums:
        """Return the sums of a round of training, and count what its time went to."""
        total = self._finish(active)
        seconds = self._environment.clock.now() - active.began
        self.timing.add(seconds, max(active.busy.values(), default=0.0), active.sums.seconds)
        return total

    def _work(self, kind: m.WorkKind, step: int, version: int, total: int) -> m.Work:
        self._number += 1
        return m.Work(self._config.session, self._number, 0, kind, step, 0, 0, total, version)

    def _begin(self, active: ActiveRound, recalled: tuple[bytes, ...] = ()) -> None:
        work = active.work
        training = work.kind is m.WorkKind.TRAIN
        policy, seed = self._config.policy, self._config.job.seed
        audit = policy.chooser(seed, work.step, active.twice) if training else None
        cap = work.total if training else VALIDATION_CAP
        active.adding = training and audit is None and 2 * work.total <= NODES
        active.may_exchange = training and not recalled
        begin = rounds.Begin(work.round, work.total, work.version, cap, audit, recalled=recalled)
        self._explained(partial(self._dispatcher.begin, active, begin))

    def _restart(self, active: ActiveRound) -> None:
        """Repeat a step with whole vectors, after something went wrong in its exchange."""
        text = f"step {active.work.step} is done again with whole vectors: {active.spoilt}"
        self._environment.notice(Notice(NoticeKind.AGAIN, None, text))
        recalled = tuple(active.exchange.members) if active.exchange else ()
        self._number += 1
        active.renew(self._number)
        self._begin(active, recalled)

    def _finish(self, active: ActiveRound) -> Sums:
        """Wait until a round is complete, and return its sums; begin it first if there were too few workers before."""
        if self._dispatcher.active is not active:
            self._wait_for_workers()
            self._begin(active)
        while not active.done:
            self.wait()
            if active.done:
                break
            if active.spoilt:
                self._restart(active)
            self._gate.needed(self._scheduler.processes(), 1)
            if self._environment.interrupted() and not self._dispatcher.expecting():
                raise InterruptedRoundError
        self._dispatcher.active = None
        return active.sums.result()

    def _wait_for_workers(self) -> None:
        """Wait until there are enough workers for a round."""
        while self._gate.needed(self._scheduler.processes(), self._config.policy.least):
            self.wait()
            if self._environment.interrupted():
                raise InterruptedRoundError
