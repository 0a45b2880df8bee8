"""The coordinator's shell: polls the transport and the clock, feeds `rounds`, and carries out its instructions."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from engine import messages as m
from engine import plan, rounds
from engine.clock import Clock
from engine.collect import Collector
from engine.data import Sampler
from engine.errors import ProtocolError, WorkerFailedError
from engine.evaluate import InterruptedRoundError, Sums, Timing, WorkerReport, nothing
from engine.job import Job
from engine.members import Members
from engine.params import Vector
from engine.transport import Endpoint, Received, snapshot

VALIDATION_CAP = 32  # micro-batches in a share of a validation: small enough that the fast wait little for the slow
LOOK = 0.25  # seconds between looks at the local workers while nothing comes in
PING = 5.0  # seconds between messages to workers that may have nothing to do, so that they know we are here
FAILURES = 3  # failures of workers in one round after which it is not the workers' fault


class Watch(Protocol):
    """Starts workers and looks after them."""

    def look(self) -> None:
        """Replace workers that ended; WorkersError if that is hopeless."""

    def useful(self, pid: int) -> None:
        """Take note that the worker with this process id has given an answer."""


@dataclass
class _Current:
    """The round in progress. `work` is what each share's message is made from."""

    work: m.Work
    parameters: Vector
    sums: Collector
    failures: int = 0
    done: bool = False
    busy: defaultdict[bytes, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # seconds that each worker computed

    slots: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))  # in use, by number in the mailbox
    _frame: m.Frame = None

    @property
    def frame(self) -> m.Frame:
        """The parameters as a payload, the same for every worker that has no mailbox."""
        if self._frame is None:
            self._frame = snapshot(self.parameters)
        return self._frame


class Coordinator:
    """Gets the sums of each batch from worker processes; a `Source` for the training loop."""

    def __init__(
        self,
        job: Job,
        sizes: tuple[int, int],
        endpoint: Endpoint,
        watch: Watch,
        clock: Clock,
        members: Members,
        interrupted: Callable[[], bool],
    ) -> None:
        """`sizes`: how many samples the training and the test set have. `interrupted`: whether the run is to stop."""
        self._job = job
        self._sizes = sizes
        self._endpoint = endpoint
        self._watch = watch
        self._clock = clock
        self._members = members
        self._interrupted = interrupted
        self._rounds = rounds.Rounds()
        self._current: _Current | None = None
        self._number = 0
        self._mailed = -1  # version of the parameters in the mailbox
        self._looked = self._pinged = clock.now()
        self.timing = Timing()
        self._sampler = Sampler(sizes[0], job.batch_size, job.seed)

    def gather(self, count: int) -> None:
        """Wait until `count` workers are ready, or the run is to stop."""
        while len(self._rounds.members) < count and not self._interrupted():
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
            self._endpoint.send(peer, m.encode(m.Stop(self._members.session, "the run is over")))

    def gradient(self, step: int, parameters: Vector, out: Vector, meanwhile: Callable[[], None] = nothing) -> Sums:
        """Return the sums over the batch of `step`, the summed gradient in `out`; call `meanwhile` in waiting."""
        sums = Collector(len(self._sampler.indices(step)), self._job.microbatch, out)
        work = self._work(kind=m.TRAIN, step=step, version=step - 1, total=sums.total)
        began = self._clock.now()
        current = _Current(work, parameters, sums)
        total = self._run(current, sums.total, meanwhile)
        self.timing.add(self._clock.now() - began, max(current.busy.values(), default=0.0), sums.seconds)
        return total

    def validate(self, step: int, parameters: Vector) -> Sums:
        """Return loss and correct answers over the whole test set, with the parameters after `step`."""
        sums = Collector(self._sizes[1], self._job.microbatch, None)
        work = self._work(kind=m.VALIDATE, step=step, version=step, total=sums.total)
        return self._run(_Current(work, parameters, sums), VALIDATION_CAP)

    def _work(self, kind: int, step: int, version: int, total: int) -> m.Work:
        self._number += 1
        return m.Work(self._members.session, self._number, 0, kind, step, 0, 0, total, version)

    def _run(self, current: _Current, cap: int, meanwhile: Callable[[], None] = nothing) -> Sums:
        """Carry out one round and return its sums."""
        self._current = current
        work = current.work
        if self._members.mailbox and self._mailed != work.version:
            np.copyto(self._members.mailbox.parameters(), current.parameters)
            self._mailed = work.version
        self._handle(rounds.Begin(work.round, work.total, work.version, cap))
        meanwhile()
        while not current.done:
            self._wait()
            if not current.done and self._rounds.next_deadline() is None and self._interrupted():
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
        now = self._clock.now()
        if self._endpoint.lost_connections():
            self._probe()
        if not received or now - self._looked > LOOK:
            self._looked = now
            self._watch.look()
            self._handle(rounds.Tick())
        if now - self._pinged > PING:
            self._probe()

    def _probe(self) -> None:
        """Find out whose connection was lost: a message to a peer that is gone cannot be sent."""
        self._pinged = self._clock.now()
        for peer in self._members.peers():
            if not self._endpoint.send(peer, m.encode(m.Ping(self._members.session))):
                self._lose(peer, "its connection was lost")

    def _lose(self, peer: bytes, reason: str) -> None:
        self._members.drop(peer, reason)
        self._handle(rounds.Left(peer))

    def _receive(self, received: Received) -> None:
        """Take one message from a peer; if anything is wrong with it, that is noted, and the peer refused and lost."""
        try:
            message, payload = m.decode(received.frames)
            self._act(received.peer, message, payload)
        except ProtocolError as error:
            self._members.note("bad message", received.peer, str(error))
            self._endpoint.send(received.peer, m.encode(m.Refuse(m.clip(str(error), 600))))
            self._endpoint.blame(received.peer)
            self._lose(received.peer, "it was refused")

    def _act(self, peer: bytes, message: m.Message, payload: m.Frame | None) -> None:
        match message:
            case m.Hello():
                self._lose(peer, "it began anew")
                self._endpoint.send(peer, self._members.greet(peer, message))
                return
            case m.Ready() | m.Result() | m.Failed() | m.Goodbye() if message.session != self._members.session:
                raise ProtocolError("the message belongs to another session")
            case m.Ready():
                self._members.admit(peer, message)
                self._handle(rounds.Joined(peer))
            case m.Result():
                self._result(peer, message, payload)
            case m.Failed():
                self._failed(peer, message)
            case m.Goodbye():
                self._lose(peer, message.reason)
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for the coordinator")

    def _failed(self, peer: bytes, message: m.Failed) -> None:
        member = self._members.get(peer)
        if member is None:
            raise ProtocolError("a failure of a peer that has not joined")
        last = message.error.strip().rpartition("\n")[2]
        self._lose(peer, f"it failed: {last}")
        if self._current is not None and member.ready:
            self._current.failures += 1
            if self._current.failures >= FAILURES:
                raise WorkerFailedError(f"worker {member.name} failed, as did others before it", message.error)

    def _result(self, peer: bytes, result: m.Result, payload: m.Frame | None) -> None:
        """Count the sums of a block if `rounds` finds that they are the first for it."""
        member = self._members.get(peer)
        if member is None:
            raise ProtocolError("a result from a peer that has not joined")
        self._watch.useful(member.pid)
        current, block = self._current, (result.start, result.stop)
        answer = rounds.Answered(peer, result.round, result.attempt, block)
        if current is None or result.round != current.work.round:
            self._handle(answer)
            return
        sums = current.sums.check(result, self._members.mail(peer, result.slot) if result.slot else payload)
        instructions = self._rounds.handle(answer, self._clock.now())
        if rounds.Accept(block) in instructions:
            current.sums.put(block, sums)
            if current.work.kind == m.TRAIN:
                self._members.credit(peer, result, current.sums.images(block))
                current.busy[peer] += result.seconds
        self._carry_out(instructions)  # in the end: the worker may turn out to be gone

    def _handle(self, event: rounds.Event) -> None:
        """Give `rounds` an event and carry out what it says."""
        self._carry_out(self._rounds.handle(event, self._clock.now()))

    def _carry_out(self, instructions: list[rounds.Instruction]) -> None:
        """Do what `rounds` says; shares are sent in the end and together, for whoever has one takes our core."""
        shares: list[tuple[bytes, list[m.Frame]]] = []
        for instruction in instructions:
            match instruction:
                case rounds.Assign() if self._current is not None:
                    shares.append((instruction.worker, self._share(instruction, self._current)))
                case rounds.Complete() if self._current is not None:
                    self._current.done = True
                case rounds.Ignore(peer, reason):
                    self._members.note("ignored", peer, reason)
                case rounds.Lapsed(peer, blocks):
                    self._members.note("lapsed", peer, f"no answer in time for blocks {list(blocks)}")

        for worker, frames in shares:
            if not self._endpoint.send(worker, frames):
                self._lose(worker, "its connection was lost")

    def _share(self, assign: rounds.Assign, current: _Current) -> list[m.Frame]:
        """Return the message that gives a worker its share."""
        start, stop = assign.share
        slot, payload = 0, None
        member = self._members.get(assign.worker)
        if member is not None and member.box is not None:
            # A slot is used once a round, even if its worker is replaced: what is in it may not have been added up yet.
            used = current.slots[member.box]
            current.slots[member.box] += len(plan.cover(start, stop, current.work.total))
            slot = used + 1
        elif assign.with_parameters:
            payload = current.frame
        return m.encode(replace(current.work, attempt=assign.attempt, start=start, stop=stop, slot=slot), payload)
