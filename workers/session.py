"""What a worker does when a message comes in: a state machine without sockets, clocks or files.

state        message     action
greeting     Welcome     Prepare: open the data, compile the model
preparing    (no data)   Send FETCH
fetching     Chunk       Store: keep it, and then FETCH the next or Prepare again
preparing    (done)      Send READY
working      Work        Send ARRIVED if parameters came with it, Compute
any          Refuse      Quit, with exit code 1
any          Stop        Leave: the next coordinator may come
any          Ping        nothing: it was sent to see whether it arrives

A message of another session is not an error: it may be from the last coordinator at the same address.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.compute.job import Job, job_from
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire.shared_memory import FLOAT


@dataclass(frozen=True)
class Prepare:
    """Compile the model and open the data of `job`, then call `Session.prepared` with what `nonce` gives."""

    job: Job
    nonce: int


@dataclass(frozen=True)
class Send:
    """Send a message."""

    message: m.Message
    payload: m.Frame | None = None


@dataclass(frozen=True)
class Compute:
    """Evaluate the share; `parameters` is None if those of the last share are still right."""

    work: m.Work
    parameters: Vector | None


@dataclass(frozen=True)
class Store:
    """Keep a piece of the data, of `total` bytes, then call `Session.fetch` or prepare."""

    piece: m.Frame
    total: int


@dataclass(frozen=True)
class Leave:
    """The session with this coordinator is over."""


@dataclass(frozen=True)
class Quit:
    """Leave, for `reason`, with exit code `code`."""

    reason: str
    code: int


OF_A_SESSION = (m.Work, m.Stop, m.Chunk)

Action = Prepare | Send | Compute | Store | Leave | Quit


class Session:
    """The time that a worker spends with one coordinator."""

    def __init__(self, in_memory: Callable[[int], Vector] | None = None) -> None:
        """`in_memory` returns the parameters of a version in shared memory, for a worker that has it."""
        self._in_memory = in_memory
        self.name = ""
        self.id = ""
        self._size: int | None = None  # parameters in the layout; None until prepared
        self._version: int | None = None  # of the parameters that this worker has
        self._wanted: int | None = None  # where the piece of data begins that was asked for

    def handle(self, message: m.Message, payload: m.Frame | None) -> list[Action]:
        """Take a message and return what to do; ProtocolError if it does not belong here."""
        if isinstance(message, m.Ping) or (isinstance(message, OF_A_SESSION) and message.session != self.id):
            return []
        match message:
            case m.Work():
                return self._work(message, payload)
            case m.Refuse(reason):
                return [Quit(f"the coordinator refused this worker: {reason}", 1)]
            case m.Welcome():
                return self._welcome(message, payload)
            case m.Stop():
                return [Leave()]
            case m.Chunk():
                return self._chunk(message, payload)
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for a worker")

    def fetch(self, offset: int) -> list[Action]:
        """Ask for the data from `offset` on."""
        self._wanted = offset
        return [Send(m.Fetch(self.id, offset))]

    def prepared(self, schema: str, size: int, proof: str, processes: int = 1) -> list[Action]:
        """Answer that the job is prepared: its layout has `size` parameters and the digest `schema`.

        `proof`: see `Evaluator.prove`. `processes` are going to compute.
        """
        self._size = size
        return [Send(m.Ready(self.id, schema, proof, processes))]

    def _welcome(self, message: m.Welcome, payload: m.Frame | None) -> list[Action]:
        if self.id == message.session:
            raise ProtocolError("WELCOME came twice")
        if payload is None or len(payload) > m.JOB_LIMIT:
            raise ProtocolError("WELCOME has no job, or its job is too large")
        job = job_from(m.unpack(payload))
        self.id, self.name = message.session, message.name
        self._size = self._version = self._wanted = None
        return [Prepare(job, message.nonce)]

    def _chunk(self, chunk: m.Chunk, payload: m.Frame | None) -> list[Action]:
        if chunk.offset != self._wanted:
            asked = "nothing" if self._wanted is None else f"byte {self._wanted}"
            raise ProtocolError(f"data came from byte {chunk.offset}, but {asked} was asked for")
        if payload is None or not 0 < len(payload) <= m.CHUNK_LIMIT:
            raise ProtocolError("a piece of data is empty or too large")
        self._wanted = None
        return [Store(payload, chunk.total)]

    def _work(self, work: m.Work, payload: m.Frame | None) -> list[Action]:
        if self._size is None:
            raise ProtocolError("WORK came before this worker was ready")
        if not work.start < work.stop <= work.total:
            raise ProtocolError(f"micro-batches {work.start} to {work.stop} of {work.total} are not a share")
        if payload is None:
            if work.version == self._version:
                return [Compute(work, None)]
            if self._in_memory is None:
                has = "none" if self._version is None else self._version
                raise ProtocolError(f"WORK for parameters {work.version}, but this worker has {has}")
            self._version = work.version
            return [Compute(work, self._in_memory(work.version))]
        if len(payload) != 4 * self._size:
            raise ProtocolError(f"parameters of {len(payload)} bytes, expected {4 * self._size}")
        self._version = work.version
        arrived = m.Arrived(work.session, work.round, work.attempt)
        return [Send(arrived), Compute(work, np.frombuffer(payload, FLOAT))]
