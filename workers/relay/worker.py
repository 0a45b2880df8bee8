"""The relay as a process: a connection above, processes below, signals and the clock around `relay` and `below`."""

import logging
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.compute.tally import WIRE
from engine.compute.tree import Block
from engine.coordinator.arbiter import Arbiter, timed_proof
from engine.coordinator.config import Config, Environment
from engine.coordinator.notices import GONE, ROUTINE, Notice, NoticeKind, NoticeLimit
from engine.coordinator.policy import Policy
from engine.data import Dataset, cache
from engine.errors import ProtocolError, WorkerFailedError, WorkersError
from engine.nn.parameters import Vector
from engine.system.clock import MONOTONIC, Clock
from engine.wire import messages as m
from workers.parent import Parent
from workers.relay import events as relay
from workers.relay.below import Below
from workers.relay.events import Came, Connected, Prepared, ProcessJoined, ProcessLeft, Tick
from workers.relay.group import Group, OpenGroup
from workers.relay.links import Dial, Expect, Forget, Present, Tell, Unlink
from workers.relay.relay import Relay
from workers.relay.uplink import Uplink
from workers.session import Prepare, Quit
from workers.worker import NEXT, READY, WAKE, Worker

logger = logging.getLogger("gradsum.workers")


class BlockComputer(Protocol):
    """What this process computes itself: an `Arbiter`."""

    def prove(self, nonce: int) -> str:
        """Return the proof that processes must give for `nonce`."""

    def __call__(self, work: m.Work, block: Block, parameters: Vector) -> Sums:
        """Return the sums of a block."""


class RelayWorker(Worker):
    """Joins a coordinator as a worker does, and lets the processes of `group` compute.

    `arbiter_for` makes what computes a block here that no two processes agree on.
    """

    def __init__(
        self,
        uplink: Uplink,
        patience: float,
        group: Group,
        parent: Parent | None = None,
        clock: Clock = MONOTONIC,
        cpu: Callable[[], float] = time.process_time,
        once: bool = False,
        place: str = "",
        tell: Callable[[str], None] | None = None,
        arbiter_for: Callable[[Job, Dataset], BlockComputer] = Arbiter,
    ) -> None:
        super().__init__(uplink, patience, None, parent, clock, cpu, once, place, tell)
        self._uplink = uplink
        self._group = group
        self._arbiter_for = arbiter_for
        self._relay = Relay(group.count, group.tree)
        self._below: Below | None = None
        self._open_group: OpenGroup | None = None
        self._happened: list[relay.Event] = []  # that the relay has not been told
        self._notices = NoticeLimit(_print_unusual)
        self._heard = clock.now()

    def _loop(self) -> Quit:
        try:
            while (quit_ := self.turn()) is None:
                pass
            return quit_
        except WorkerFailedError as error:
            return self._fail(error)
        except WorkersError as error:
            if self._session.id:
                self._send(m.Goodbye(self._session.id, m.clip(str(error), m.REASON_LIMIT)))
            return Quit(str(error), 1)

    def turn(self) -> Quit | None:
        """Wait briefly for something to happen, and deal with it; return why the relay ends, if it does."""
        frames = self._wait()
        if quit_ := self._reason_to_quit():
            return quit_
        found = self._uplink.events()
        self._happened[:0] = found  # first: what is done about the rest is said to whoever is above now
        if any(isinstance(event, Connected) for event in found):
            frames = None  # of who was above: who is now says nothing before a greeting
            self._note_connection(found)
        while frames is not None:
            self._happened.append(Came(*m.decode(frames)))
            self._heard = self._clock.now()
            frames = self._endpoint.poll(0.0)
        if self._endpoint.arriving():
            self._heard = self._clock.now()
        if quit_ := self._retry() or self._handle_events():
            return quit_
        return self._silent_since(self._heard)

    def _note_connection(self, found: Sequence[relay.Event]) -> None:
        """Note a new connection to the coordinator; who joins another relay has had one that was of use."""
        if Connected(home=True) in found:
            self._attempts.connected()
        else:
            self._attempts.useful()

    def _wait(self) -> "Sequence[m.Frame] | None":
        """Wait briefly for something to happen, above or below; return a message from above."""
        if self._below is None:
            return self._endpoint.poll(WAKE)
        self._below.wait()
        self._happened += self._opened().links.events()
        self._happened += self._below.summed()
        return self._endpoint.poll(0.0)

    def _handle_events(self) -> Quit | None:
        """Tell the relay what has happened, and do what it says, upon which more may have happened."""
        self._happened.append(Tick())
        while self._happened:
            event, *self._happened = self._happened
            for action in self._relay.handle(event, self._clock.now()):
                if quit_ := self._perform(action):
                    return quit_
        return None

    def _perform(self, action: relay.Action) -> Quit | None:
        try:
            match action:
                case relay.Greet(session):
                    self._begin(session)
                case relay.Begin(work, parameters):
                    self._attempts.work()
                    self._computing().begin(work, parameters)
                case relay.Answer():
                    self._send_sums(action)
                case relay.Close():
                    self._computing().close()
                    self._below = None
                case relay.Over() if self._once:
                    return Quit("the run is over", 0)
                case relay.Over():
                    self._attempts.useful()
                    self._tell(NEXT)
                case relay.Try() | relay.Join() | relay.Return() | relay.Admit():
                    self._change_above(action)
                case Present() | Expect() | Dial() | Forget() | Tell() | Unlink():
                    self._opened().links.perform(action)
                case _:
                    return super()._perform(action)
        except (ProtocolError, WorkersError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the coordinator is told, and with all of it
            return self._fail(error)
        return None

    def _change_above(self, action: relay.Try | relay.Join | relay.Return | relay.Admit) -> None:
        match action:
            case relay.Try(address, key):
                self._uplink.attempt(address, key)
            case relay.Join():
                self._uplink.join()
            case relay.Return():
                self._uplink.back()
            case relay.Admit(key):
                self._opened().invited.add(key)

    def _opened(self) -> OpenGroup:
        if self._open_group is None:
            raise RuntimeError("the group of processes is not open")
        return self._open_group

    def _computing(self) -> Below:
        if self._below is None:
            raise RuntimeError("the relay has no round below")
        return self._below

    def _prepare(self, asked: Prepare) -> None:
        if self._below:  # the connection was lost for a moment
            self._prepared(asked)
        else:
            super()._prepare(asked)

    def _set_up(self, asked: Prepare, data: Dataset) -> None:
        job, data, nonce = asked.job, data.hold_out(asked.job.validation), secrets.randbelow(1 << 53)
        self._arbiter = self._arbiter_for(job, data)
        proof, leases = timed_proof(self._arbiter.prove, nonce, self._clock)
        self._open_group = group = self._group.open(job.model.layout().size)
        config = Config(
            job=job,
            train_samples=len(data.train),
            validation_samples=len(data.validating),
            content=cache.content(job.data),
            session=self._session.id,  # another relay may change places without its processes' noticing
            numerics=self._numerics,
            policy=Policy(leases=leases, twice=0),
            libraries=self._libraries,
            nonce=nonce,
            proof=proof,
            tallied=job.tallied,
        )
        environment = Environment(
            endpoint=group.endpoint,
            supervisor=group.supervisor,
            clock=self._clock,
            notice=self._note,
            interrupted=lambda: False,
            arbiter=self._arbiter,
            shared_memory=group.shared_memory,
        )
        self._below = Below(config, environment)
        self._prepared(asked)

    def _prepared(self, asked: Prepare) -> None:
        layout, proof = asked.job.model.layout(), self._arbiter.prove(asked.nonce)
        self._tell(READY.format(self._endpoint.address, self._session.name))
        place = self._opened()
        self._happened.append(Prepared(layout.digest, layout.size, proof, place.address, place.key))

    def _note(self, notice: Notice) -> None:
        """Take in what happened below: all who came and left, whatever else is held back."""
        report = notice.report
        if report and notice.kind is NoticeKind.JOINED:
            self._happened.append(ProcessJoined(report.name, report.pid, report.host, report.via))
        elif report and notice.kind in GONE:
            self._happened.append(ProcessLeft(report.name, notice.text))
        self._notices.take(notice)

    def _send_sums(self, answer: relay.Answer) -> None:
        work, sums = answer.work, answer.sums
        loss, correct, cpu = float(sums.loss), int(sums.correct), self._cpu() - self._cpu_before
        result = m.Result(work.session, work.round, work.attempt, *answer.block, loss, correct, answer.seconds, cpu)
        if work.roster:  # others have its parts
            self._send(result)
        else:
            self._send(result, sums.gradient if sums.tally is None else sums.tally.counts.astype(WIRE))


def _print_unusual(notice: Notice) -> None:
    """Print what is unusual, for the person who started the relay."""
    if notice.kind not in ROUTINE and not (notice.report and notice.kind in GONE):
        print(f"gradsum worker: process {notice.worker or ''} {notice.kind}: {notice.text}", file=sys.stderr)
