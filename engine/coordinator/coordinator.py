"""The coordinator's shell: polls the transport and the clock, feeds `rounds`, and carries out its instructions."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.compute.job import Job
from engine.compute.sums import Sums, bits_of, is_finite
from engine.compute.tree import Block
from engine.coordinator import rounds
from engine.coordinator.active_round import ActiveRound
from engine.coordinator.membership import Membership
from engine.coordinator.peers import LOOK, Peers
from engine.coordinator.policy import Policy, WorkerGate
from engine.coordinator.reduction import Reduction
from engine.coordinator.source import Pending, Timing, WorkerReport
from engine.coordinator.supervisor import Supervisor
from engine.data import Sampler
from engine.errors import InterruptedRoundError, ProtocolError, WorkerFailedError
from engine.nn.parameters import Vector
from engine.system.clock import Clock
from engine.wire import Endpoint, Received
from engine.wire import messages as m

VALIDATION_CAP = 32  # micro-batches in a share of a validation: small enough that the fast wait little for the slow
FAILURES = 3  # failures of workers in one round after which it is not the workers' fault


@dataclass(frozen=True)
class Answer:
    """The sums that an event tells of: those of a worker's RESULT, or computed here."""

    sums: Sums
    result: m.Result | None = None
    peer: bytes = b""


class Coordinator:
    """Gets the sums of each batch from worker processes; a `Source` for the training loop."""

    def __init__(
        self,
        job: Job,
        sizes: tuple[int, int],
        endpoint: Endpoint,
        supervisor: Supervisor,
        clock: Clock,
        members: Membership,
        interrupted: Callable[[], bool],
        arbiter: Callable[[m.Work, Block, Vector], Sums],
        policy: Policy = Policy(),  # noqa: B008 - it is frozen
    ) -> None:
        """`sizes`: how many samples the training and the test set have. `interrupted`: whether the run is to stop.

        `arbiter` computes in this process what workers cannot agree on, with the parameters that it is given.
        """
        self._job = job
        self._sizes = sizes
        self._endpoint = endpoint
        self._clock = clock
        self._members = members
        self._peers = Peers(endpoint, supervisor, clock, members)
        self._interrupted = interrupted
        self._arbiter = arbiter
        self._policy = policy
        self._rounds = rounds.Scheduler(policy.patience)
        self._current: ActiveRound | None = None
        self._events: deque[tuple[rounds.Event, Answer | None]] = deque()  # that the scheduler has not seen
        self._number = 0
        self._in_memory = -1  # version of the parameters in shared memory
        self._pause = WorkerGate(clock, members.announce)
        self.timing = Timing()
        self._sampler = Sampler(sizes[0], job.batch_size, job.seed)

    def gather(self, count: int) -> None:
        """Wait until `count` workers are ready, or the run is to stop."""
        while len(self._rounds) < count and not self._interrupted():
            self._wait()

    def workers(self) -> list[WorkerReport]:
        """Return what each worker that is at hand has done."""
        return self._members.reports()

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers."""
        return self._members.cpu_seconds()

    def close(self) -> None:
        """Tell the workers that the run is over."""
        for peer in self._members.peers():
            self._peers.send(peer, m.Stop(self._members.session, "the run is over"))

    def start(self, step: int, parameters: Vector, out: Vector, thorough: bool = False) -> Pending:
        """Send the shares of the batch of `step` to the workers, and return at once.

        If there are too few of them, the round begins when its result is asked for: the caller may have things to do.
        """
        if thorough:
            self._members.announce("not finite", f"the sum of step {step} is not; every block is computed again")
        sums = Reduction(len(self._sampler.indices(step)), self._job.microbatch, out)
        work = self._work(kind=m.TRAIN, step=step, version=step - 1, total=sums.total)
        current = ActiveRound(work, parameters, sums, thorough)
        if len(self._rounds) >= self._policy.least:
            self._begin(current)
        return Pending(partial(self._gradient, current))

    def _gradient(self, current: ActiveRound) -> Sums:
        """Return the sums of a round of training, and count what its time went to."""
        total = self._finish(current)
        seconds = self._clock.now() - current.began
        self.timing.add(seconds, max(current.busy.values(), default=0.0), current.sums.seconds)
        return total

    def validate(self, step: int, parameters: Vector) -> Sums:
        """Return loss and correct answers over the whole test set, with the parameters after `step`."""
        sums = Reduction(self._sizes[1], self._job.microbatch, None)
        work = self._work(kind=m.VALIDATE, step=step, version=step, total=sums.total)
        return self._finish(ActiveRound(work, parameters, sums))

    def _work(self, kind: int, step: int, version: int, total: int) -> m.Work:
        self._number += 1
        return m.Work(self._members.session, self._number, 0, kind, step, 0, 0, total, version)

    def _muster(self) -> None:
        """Wait until there are enough workers for a round."""
        while self._pause.needed(len(self._rounds), self._policy.least):
            self._wait()
            if self._interrupted():
                raise InterruptedRoundError

    def _begin(self, current: ActiveRound) -> None:
        """Give the workers their shares of a round."""
        self._current = current
        current.began = self._clock.now()
        work = current.work
        if self._members.shared_memory and self._in_memory != work.version:
            np.copyto(self._members.shared_memory.parameters(), current.parameters)
            self._in_memory = work.version
        training = work.kind == m.TRAIN
        audit = self._policy.chooser(self._job.seed, work.step) if training else None
        cap = work.total if training else VALIDATION_CAP
        self._events.append((rounds.Begin(work.round, work.total, work.version, cap, audit), None))
        self._work_off()

    def _finish(self, current: ActiveRound) -> Sums:
        """Wait until a round is complete, and return its sums; begin it first if there were too few workers before."""
        if self._current is not current:
            self._muster()
            self._begin(current)
        while not current.done:
            self._wait()
            self._pause.needed(len(self._rounds), 1)
            if not current.done and self._interrupted() and not self._rounds.expecting():
                raise InterruptedRoundError
        self._current = None
        return current.sums.result()

    def _wait(self) -> None:
        """Wait for something to happen, and deal with it."""
        now = self._clock.now()
        deadline = self._rounds.next_deadline()
        timeout = LOOK if deadline is None else min(LOOK, max(0.0, deadline - now))
        received = self._endpoint.poll(timeout)
        for one in received:
            self._receive(one)
            self._work_off()
        for peer in self._peers.unreachable():
            self._lose(peer, "its connection was lost")
        if self._peers.look(idle=not received):
            self._events.append((rounds.Tick(), None))
        self._work_off()

    def _lose(self, peer: bytes, reason: str) -> None:
        self._peers.part(peer, reason)
        self._events.append((rounds.Left(peer), None))

    def _receive(self, received: Received) -> None:
        """Take one message from a peer; if anything is wrong with it, that is noted, and the peer refused and lost."""
        try:
            message, payload = m.decode(received.frames)
            self._act(received.peer, message, payload)
        except ProtocolError as error:
            self._peers.refuse(received.peer, str(error))
            self._lose(received.peer, "it was refused")

    def _act(self, peer: bytes, message: m.Message, payload: m.Frame | None) -> None:
        match message:
            case m.Hello():
                self._lose(peer, "it began anew")
                self._peers.greet(peer, message)
            case m.Fetch() | m.Ready() | m.Result() | m.Failed() | m.Goodbye() if (
                message.session != self._members.session or self._members.get(peer) is None
            ):
                self._peers.redirect(peer, message)
            case m.Fetch():
                self._peers.feed(peer, message)
            case m.Ready():
                self._members.admit(peer, message)
                self._events.append((rounds.Joined(peer), None))
            case m.Result():
                self._result(peer, message, payload)
            case m.Failed():
                self._failed(peer, message)
            case m.Goodbye():
                self._lose(peer, message.reason)
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for the coordinator")

    def _failed(self, peer: bytes, message: m.Failed) -> None:
        member = self._peers.local(peer)  # others may say what they like
        last = message.error.strip().rpartition("\n")[2]
        self._lose(peer, f"it failed: {last}")
        if self._current is not None and member is not None and member.ready:
            self._current.failures += 1
            if self._current.failures >= FAILURES:
                raise WorkerFailedError(f"worker {member.name} failed, as did others before it", message.error)

    def _result(self, peer: bytes, result: m.Result, payload: m.Frame | None) -> None:
        """Let the scheduler know of the sums of a block; they count if they are the first for it."""
        self._peers.useful(peer)
        current, block = self._current, (result.start, result.stop)
        if current is None or result.round != current.work.round:
            self._events.append((rounds.Answered(peer, result.round, result.attempt, block), None))
            return
        sums = current.sums.check(result, self._members.mail(peer, result.slot) if result.slot else payload)
        finite = is_finite(sums, current.thorough)
        bits = bits_of(sums) if not finite or self._rounds.in_question(block) else ""
        answered = rounds.Answered(peer, result.round, result.attempt, block, bits, finite)
        self._events.append((answered, Answer(sums, result, peer)))

    def _work_off(self) -> None:
        """Give the scheduler all events there are, and carry out what it says, which may lead to further events.

        A loop and not a call from within `_carry_out`: when a thousand workers are lost at once, each loss shows in
        the attempt to give another worker what the last one had.
        """
        while self._events:
            event, answer = self._events.popleft()
            self._carry_out(self._rounds.handle(event, self._clock.now()), answer)

    def _carry_out(self, instructions: list[rounds.Instruction], answer: Answer | None) -> None:
        """Do what the scheduler says, `answer` being what came with the event.

        Shares are sent last and together, because a worker that has one takes our core; what takes long is for then.
        """
        shares: list[tuple[bytes, list[m.Frame]]] = []
        disputed: list[Block] = []
        current = self._current
        for instruction in instructions:
            match instruction:
                case rounds.Assign() if current is not None:
                    member = self._members.get(instruction.worker)
                    shares.append((instruction.worker, current.share(instruction, member.box if member else None)))
                case rounds.Accept(block) if current is not None and answer is not None:
                    self._count(current, block, answer)
                case rounds.Complete() if current is not None:
                    current.done = True
                case rounds.Arbitrate(block) if current is not None:
                    disputed.append(block)
                case rounds.Expel(worker):
                    self._peers.note(instruction, current.work.step if current else None)
                    self._lose(worker, "it was refused")
                case _:
                    self._peers.note(instruction, current.work.step if current else None)
        for worker, frames in shares:
            if not self._endpoint.send(worker, frames):
                self._lose(worker, "its connection was lost")
        if current is not None:
            self._events.extend(self._arbitrate(current, block) for block in disputed)

    def _count(self, current: ActiveRound, block: Block, answer: Answer) -> None:
        """Add up the sums of a block, and credit the worker that computed them in training."""
        current.sums.put(block, answer.sums)
        if answer.result is not None and current.work.kind == m.TRAIN:
            self._members.credit(answer.peer, answer.result, current.sums.images(block))
            current.busy[answer.peer] += answer.result.seconds

    def _arbitrate(self, current: ActiveRound, block: Block) -> tuple[rounds.Event, Answer]:
        """Compute a block here."""
        sums = self._arbiter(current.work, block, current.parameters)
        return rounds.Arbitrated(current.work.round, block, bits_of(sums)), Answer(sums)
