"""What a worker does when a message comes: a state machine without sockets, clocks or files.

state        message     action
greeting     Welcome     Prepare: compile the model, open the data
preparing    (done)      Send READY
working      Work        Compute
any          Refuse      Quit, with exit code 1
any          Stop        Quit
any          Ping        nothing: it was sent to see whether it arrives
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine import messages as m
from engine.errors import ProtocolError
from engine.job import Job, job_from
from engine.params import Vector


@dataclass(frozen=True)
class Prepare:
    """Compile the model and open the data of `job`, then call `Session.prepared`."""

    job: Job


@dataclass(frozen=True)
class Send:
    """Send a message."""

    message: m.Message


@dataclass(frozen=True)
class Compute:
    """Evaluate the share; `parameters` is None if the ones at hand are still right."""

    work: m.Work
    parameters: Vector | None


@dataclass(frozen=True)
class Quit:
    """Leave, for `reason`, with exit code `code`."""

    reason: str
    code: int


Action = Prepare | Send | Compute | Quit


class Session:
    """One stay of a worker with a coordinator."""

    def __init__(self, mailed: Callable[[], Vector] | None = None) -> None:
        """`mailed` returns the parameters in the mailbox, for a worker that has one."""
        self._mailed = mailed
        self.name = ""
        self.id = ""
        self._size = -1  # parameters in the layout, -1 until prepared
        self._version = -1  # parameters at hand

    def handle(self, message: m.Message, payload: m.Frame | None) -> list[Action]:
        """Take a message and return what is to be done; ProtocolError if it does not belong here."""
        match message:
            case m.Refuse(reason):
                return [Quit(f"the coordinator refused: {reason}", 1)]
            case m.Welcome():
                return self._welcome(message, payload)
            case m.Work() | m.Ping() | m.Stop() if message.session != self.id:
                raise ProtocolError(f"{type(message).__name__} of a session that is not this one")
            case m.Stop(_, reason):
                return [Quit(reason, 0)]
            case m.Work():
                return self._work(message, payload)
            case m.Ping():
                return []
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for a worker")

    def prepared(self, schema: str, size: int) -> list[Action]:
        """Take note that the job is prepared: its layout has `size` parameters and the digest `schema`."""
        self._size = size
        return [Send(m.Ready(self.id, schema))]

    def _welcome(self, message: m.Welcome, payload: m.Frame | None) -> list[Action]:
        if self.id:
            raise ProtocolError("WELCOME came twice")
        if payload is None or len(payload) > m.JOB_LIMIT:
            raise ProtocolError("WELCOME has no job, or one that is too large")
        job = job_from(m.unpack(payload))
        self.id, self.name = message.session, message.name
        return [Prepare(job)]

    def _work(self, work: m.Work, payload: m.Frame | None) -> list[Action]:
        if self._size < 0:
            raise ProtocolError("WORK came before this worker was ready")
        if not work.start < work.stop <= work.total:
            raise ProtocolError(f"micro-batches {work.start} to {work.stop} of {work.total} make no share")
        if payload is None:
            if work.version == self._version:
                return [Compute(work, None)]
            if self._mailed is None:
                raise ProtocolError(f"WORK for parameters {work.version}, but {self._version} are at hand")
            self._version = work.version
            return [Compute(work, self._mailed())]
        if len(payload) != 4 * self._size:
            raise ProtocolError(f"parameters of {len(payload)} bytes, {4 * self._size} are expected")
        self._version = work.version
        return [Compute(work, np.frombuffer(payload, "<f4"))]
