"""The worker's shell: a socket, the lifeline and the numbers around `session`."""

import os
import platform
import signal
import time
import traceback
from types import FrameType

from engine.compute import tree
from engine.compute.evaluator import Evaluator
from engine.compute.fingerprint import fingerprint
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.data import Dataset
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.system.allocator import keep_freed_memory, release_compiler
from engine.wire import Dialer
from engine.wire import messages as m
from engine.wire.keys import Keys
from workers import parent
from workers.dataset import DatasetFetcher
from workers.session import Action, Compute, Leave, Prepare, Quit, Send, Session, Store
from workers.shared_memory import WorkerMemory

WAKE = 0.25  # seconds between looks at signals and the clock while nothing comes in
LARGEST = 1 << 40  # bytes of a message; the coordinator is trusted


class Worker:
    """Joins the coordinator at `address`, whenever there is one, and works for one after the other.

    With `tied`, standard input is a pipe from the parent and its end is the end of the worker; with `clear` as well,
    that parent is the coordinator, and what it left at `address` is removed. The worker leaves by itself when no
    coordinator has said anything for `patience` seconds.
    """

    def __init__(
        self,
        address: str,
        tied: bool,
        patience: float,
        mail: WorkerMemory | None = None,
        keys: Keys | None = None,
        clear: bool = False,
    ) -> None:
        self._address = address
        self._tied = tied
        self._patience = patience
        self._mail = mail
        self._clear = clear
        self._session = self._new_session()
        self._waiting: tuple[Job, DatasetFetcher] | None = None  # for its data
        self._leaving = ""
        self._told = 0.0  # processor seconds that an earlier coordinator, or the same before we came back, knows of
        self._dialer = Dialer(address, LARGEST, keys)

    def run(self) -> Quit:
        """Work, and return why and how it ended."""
        keep_freed_memory()
        self._numerics = fingerprint()  # what is wrong with them is found out before anybody is asked
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)
        if self._tied:
            parent.hold()
            self._dialer.watch(parent.STDIN)
        try:
            return self._loop()
        finally:
            self._stop_waiting()
            self._dialer.close()

    def _new_session(self) -> Session:
        return Session(self._mail.parameters if self._mail else None)

    def _begin(self) -> None:
        """Ask to join whoever listens now."""
        self._stop_waiting()
        if self._session.id:
            self._told = time.process_time()
        self._session = self._new_session()
        token = self._mail.token if self._mail else ""
        self._send(m.Hello(platform.node()[:64], os.getpid(), self._numerics, token))

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting[1].close()
            self._waiting = None

    def _leave(self, number: int, _: FrameType | None) -> None:
        self._leaving = f"it got {signal.Signals(number).name}"

    def _loop(self) -> Quit:
        heard = time.monotonic()
        while True:
            frames = self._dialer.poll(WAKE)
            if self._leaving:
                if self._session.id:
                    self._send(m.Goodbye(self._session.id, self._leaving))
                return Quit(self._leaving, 0)
            if self._tied and parent.broken():
                if self._clear:
                    parent.clear(self._address)
                return Quit("its parent ended", 1)
            if self._dialer.unwelcome:
                return Quit(f"the coordinator at {self._address} {self._dialer.unwelcome}", 1)
            if self._dialer.connected():
                self._begin()
            if frames is not None:
                for action in self._session.handle(*m.decode(frames)):
                    if quit_ := self._perform(action):
                        return quit_
                heard = time.monotonic()  # after the work: while it lasted, nobody listened
            elif quit_ := self._retry():
                return quit_
            if time.monotonic() - heard > self._patience:
                return Quit(f"nothing came from {self._address} for {self._patience:g} seconds", 1)

    def _perform(self, action: Action) -> Quit | None:
        """Carry out an action; what goes wrong in computing is reported to the coordinator, with its traceback."""
        try:
            match action:
                case Send(message):
                    self._send(message)
                case Prepare(job):
                    self._prepare(job)
                case Compute(work, parameters):
                    self._compute(work, parameters)
                case Store(piece, total):
                    self._store(piece, total)
                case Leave():
                    self._begin()
                case Quit():
                    return action
        except ProtocolError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the coordinator is told, and with all of it
            self._send(m.Failed(self._session.id, m.clip(traceback.format_exc(), 700)))
            return Quit(f"{type(error).__name__}: {error}", 1)
        return None

    def _retry(self) -> Quit | None:
        """See whether the data is there now, if another process is fetching it."""
        if self._waiting and self._waiting[1].wanted is None:
            return self._perform(Prepare(self._waiting[0]))
        return None

    def _prepare(self, job: Job) -> None:
        """Get ready to work, or ask for the data that it takes."""
        if self._waiting is None or self._waiting[0] is not job:
            self._stop_waiting()
            self._waiting = job, DatasetFetcher(job.data)
        supply = self._waiting[1]
        if data := supply.get():
            self._stop_waiting()
            self._compile(job, data)
        elif supply.wanted is not None:
            for action in self._session.fetch(supply.wanted):
                self._perform(action)

    def _store(self, piece: m.Frame, total: int) -> None:
        if self._waiting:
            job, supply = self._waiting
            supply.put(piece, total)
            self._prepare(job)

    def _compile(self, job: Job, data: Dataset) -> None:
        self._evaluator = Evaluator(job, data)
        self._evaluator.rehearse()
        release_compiler()
        layout = job.model.layout()
        self._gradient = layout.zeros()
        if self._mail:
            self._mail.open(layout.size)
        for action in self._session.prepared(layout.digest, layout.size):
            self._perform(action)

    def _compute(self, work: m.Work, parameters: Vector | None) -> None:
        if parameters is not None:
            self._evaluator.prepare(parameters)
        for number, block in enumerate(tree.cover(work.start, work.stop, work.total)):
            began = time.perf_counter()
            slot = 0
            if work.kind is m.WorkKind.TRAIN:
                slot = self._mail.slot(work.slot + number) if self._mail and work.slot else 0
                out = self._mail.gradient(slot) if self._mail and slot else self._gradient
                sums = self._evaluator.train_block(work.step, block, out)
            else:
                sums = self._evaluator.test_block(block)
            self._answer(work, block, sums, slot, time.perf_counter() - began)

    def _answer(self, work: m.Work, block: tree.Block, sums: Sums, slot: int, seconds: float) -> None:
        loss, correct, cpu = float(sums.loss), int(sums.correct), time.process_time() - self._told
        result = m.Result(work.session, work.round, work.attempt, *block, loss, correct, seconds, cpu, slot)
        self._send(result, None if slot else sums.gradient)

    def _send(self, message: m.Message, gradient: Vector | None = None) -> None:
        # The bytes are copied: the transport may still be sending when the next block overwrites the vector.
        self._dialer.send(m.encode(message, None if gradient is None else gradient.tobytes()))
