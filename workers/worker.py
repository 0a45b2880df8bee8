"""The worker: a connection, the parent, signals and the clock around `session` and `computation`."""

import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

from numpy.typing import NDArray

from engine.compute.arithmetic import check_arithmetic
from engine.compute.fingerprint import fingerprint, libraries
from engine.compute.tally import WIRE
from engine.data import Dataset
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.system.allocator import keep_freed_memory
from engine.system.clock import MONOTONIC, Clock
from engine.system.processes import hostname
from engine.wire import WorkerEndpoint
from engine.wire import messages as m
from engine.wire.tracebacks import failed
from workers.attempts import Attempts
from workers.computation import Answer, Computation
from workers.dataset import DatasetFetcher
from workers.parent import Parent
from workers.session import Action, Compute, Leave, Prepare, Quit, Send, Session, Store
from workers.shared_memory import WorkerMemory

logger = logging.getLogger("gradsum.workers")

WAKE = 0.25  # seconds between checks of signals and the clock while nothing comes in

READY, NEXT = "ready for {} as {}", "the run is over; waiting for the next one"

GONE = 30.0  # seconds of silence of a coordinator that sends a ping every 5 s


class Worker:
    """Joins the coordinator at the other end of `endpoint`, whenever there is one, and works for one after another.

    It ends with its `parent`, if it has one, and when nothing has come in for `patience` seconds; with `once`, when the
    first run is over, too. `memory`: shared with the coordinator. `cpu` returns the processor seconds that this process
    has used. `place`: what a launcher calls the place where it runs. `tell` is told when it is ready, and when it
    waits for another run.
    """

    def __init__(
        self,
        endpoint: WorkerEndpoint,
        patience: float,
        memory: WorkerMemory | None = None,
        parent: Parent | None = None,
        clock: Clock = MONOTONIC,
        cpu: Callable[[], float] = time.process_time,
        once: bool = False,
        place: str = "",
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._memory = memory
        self._parent = parent
        self._clock = clock
        self._cpu = cpu
        self._once = once
        self._place = place
        self._tell = tell or logger.info
        self._attempts = Attempts(clock, self._tell)
        self._numerics, self._libraries = fingerprint(), m.clip(libraries(), m.LIBRARIES_LIMIT)
        self._cpu_before = 0.0  # processor seconds reported in earlier sessions
        self._welcomed = False  # in an earlier session
        self._session = self._new_session()
        self._pending: tuple[Prepare, DatasetFetcher] | None = None  # a job whose data is not here yet
        self._leaving: str | None = None  # why

    def run(self) -> Quit:
        """Work, and return why and how it ended."""
        keep_freed_memory()
        check_arithmetic()  # an error about it comes before any connection
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)
        if self._parent:
            self._parent.hold()
            self._endpoint.watch(self._parent.descriptor)
        try:
            ended = self._loop()
            logger.info("ends: %s", ended.reason)
            return ended
        finally:
            self._drop_pending()
            self._endpoint.close()

    def _new_session(self) -> Session:
        return Session(self._memory.parameters if self._memory else None)

    def _begin(self, session: Session) -> None:
        """Ask to join the coordinator that listens now."""
        self._drop_pending()
        if self._session.id:
            self._cpu_before, self._welcomed = self._cpu(), True
        self._session = session
        token = self._memory.token if self._memory else ""
        self._send(m.Hello(hostname(), os.getpid(), self._numerics, token, self._libraries, self._place))

    def _drop_pending(self) -> None:
        if self._pending:
            self._pending[1].close()
            self._pending = None

    def _leave(self, number: int, _: FrameType | None) -> None:
        self._leaving = f"it got {signal.Signals(number).name}"

    def _loop(self) -> Quit:
        heard = self._clock.now()
        while True:
            frames = self._endpoint.poll(WAKE)
            if quit_ := self._reason_to_quit():
                return quit_
            if self._endpoint.connected():
                self._attempts.connected()
                self._begin(self._new_session())
            if quit_ := self._retry() if frames is None else self._perform_all(self._session.handle(*m.decode(frames))):
                return quit_
            if frames is not None or self._endpoint.arriving():
                heard = self._clock.now()  # after the work: while it lasted, nothing could be heard
            if quit_ := self._silent_since(heard):
                return quit_

    def _silent_since(self, heard: float) -> Quit | None:
        """Return why to end when the last message, or a part of one, came at `heard`.

        ZeroMQ may lose the word that a run is over, together with the connection: one that joined once needs no word.
        """
        silent = self._clock.now() - heard
        if self._once and (self._session.id or self._welcomed) and silent > GONE:
            return Quit("the run is over, or its coordinator gone", 0)
        if silent > self._patience:
            return Quit(f"nothing came from {self._endpoint.address} for {self._patience:g} seconds", 1)
        return None

    def _reason_to_quit(self) -> Quit | None:
        if self._leaving:
            if self._session.id:
                self._send(m.Goodbye(self._session.id, self._leaving))
            return Quit(self._leaving, 0)
        if self._parent and self._parent.ended():
            self._parent.clear()
            return Quit("its parent ended", 1)
        if self._endpoint.unwelcome:
            return Quit(f"the coordinator at {self._endpoint.address} {self._endpoint.unwelcome}", 1)
        return None

    def _perform(self, action: Action) -> Quit | None:
        """Carry out an action; an exception in computing is reported to the coordinator with its traceback."""
        try:
            match action:
                case Send(message, payload):
                    self._endpoint.send(m.encode(message, payload))
                case Prepare():
                    return self._prepare(action)
                case Compute(work, parameters):
                    self._attempts.work()
                    self._compute(work, parameters)
                case Store(piece, total):
                    return self._store(piece, total)
                case Leave():
                    self._attempts.useful()
                    if self._once:
                        return Quit("the run is over", 0)
                    self._tell(NEXT)
                    self._begin(self._new_session())
                case Quit():
                    return action
        except ProtocolError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the coordinator is told, and with all of it
            return self._fail(error)
        return None

    def _fail(self, error: Exception) -> Quit:
        """Tell the coordinator of `error`, which is being handled, with its traceback."""
        self._endpoint.send(m.encode(*failed(self._session.id, traceback.format_exc())))
        return Quit(f"{type(error).__name__}: {error}", 1)

    def _retry(self) -> Quit | None:
        """Prepare the job again if another process fetches its data, which may be here now."""
        if self._pending and self._pending[1].wanted is None:
            return self._perform(self._pending[0])
        return None

    def _prepare(self, asked: Prepare) -> Quit | None:
        """Get ready to work, or ask for the data that this takes; return why to leave, if that is impossible."""
        job = asked.job
        if self._pending is None or self._pending[0] is not asked:
            self._drop_pending()
            self._pending = asked, DatasetFetcher(job.data)
        fetcher = self._pending[1]
        if data := fetcher.get():
            self._drop_pending()
            return self._set_up(asked, data)
        if fetcher.wanted is not None:
            return self._perform_all(self._session.fetch(fetcher.wanted))
        return None

    def _set_up(self, asked: Prepare, data: Dataset) -> Quit | None:
        """Be ready for shares of the job, whose data is here, and say so."""
        self._computation = Computation(asked.job, data, self._memory, self._clock)
        layout, proof = self._computation.layout, self._computation.prove(asked.nonce)
        self._tell(READY.format(self._endpoint.address, self._session.name))
        return self._perform_all(self._session.prepared(layout.digest, layout.size, proof))

    def _perform_all(self, actions: list[Action]) -> Quit | None:
        """Carry out actions one after the other, until one says why to leave."""
        return next((quit_ for action in actions if (quit_ := self._perform(action))), None)

    def _store(self, piece: m.Frame, total: int) -> Quit | None:
        if self._pending is None:
            return None
        asked, fetcher = self._pending
        fetcher.put(piece, total)
        return self._prepare(asked)

    def _compute(self, work: m.Work, parameters: Vector | None) -> None:
        for answer in self._computation.answers(work, parameters):
            self._answer(work, answer)
        self._computation.fetch(work)

    def _answer(self, work: m.Work, answer: Answer) -> None:
        sums, result = answer.sums, result_of(work, answer, self._cpu() - self._cpu_before)
        if sums.tally is not None:
            self._send(result, sums.tally.counts.astype(WIRE))
        else:
            self._send(result, sums.gradient if answer.slot is None else None)

    def _send(self, message: m.Message, numbers: NDArray[Any] | None = None) -> None:
        # The bytes are copied: the transport may still be sending when the next block overwrites the vector.
        self._endpoint.send(m.encode(message, None if numbers is None else numbers.tobytes()))


def result_of(work: m.Work, answer: Answer, cpu: float) -> m.Result:
    """Return the message with an answer to `work`; `cpu`: the processor seconds that this worker has used."""
    slot = m.NO_SLOT if answer.slot is None else answer.slot
    formed = (answer.place, answer.formed) if answer.formed else (m.NO_SLOT, 0)
    loss, correct = float(answer.sums.loss), int(answer.sums.correct)
    return m.Result(
        work.session, work.round, work.attempt, *answer.block, loss, correct, answer.seconds, cpu, slot, *formed
    )
