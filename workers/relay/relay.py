"""What a relay does when something happens: a state machine without sockets, clocks or files.

It stands between the session above (`workers.session`) and a round below (`engine.coordinator.rounds`), neither of
which waits for the other: a share is begun below, and whatever comes from above meanwhile is dealt with at once.

state       event                           action
greeting    WELCOME                         Prepare; Close before it, if the processes work for another session
preparing   Prepared, enough processes      Send READY, and PROCESS for each
working     WORK                            Begin a round below over the share; it takes the place of one before
working     Summed                          Send CREDIT, Answer
working     the last process left           Send GOODBYE, which gives the share back
away        enough processes again          Greet
any         Connected                       Greet: what was begun for the session before is not answered any more
any         STOP                            Close, Greet
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.compute.sums import Sums
from engine.compute.tree import Block, cover
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire import relays
from workers import session
from workers.session import Session

GATHER = 10.0  # seconds that the first processes wait for the others
NOBODY = "none of its processes is left"


@dataclass(frozen=True)
class Connected:
    """There is a new connection to the coordinator."""


@dataclass(frozen=True)
class Came:
    """A message came from above."""

    message: m.Message
    payload: m.Frame | None = None


@dataclass(frozen=True)
class Prepared:
    """Data and processes for the job are there; its layout has `size` parameters and the digest `schema`.

    `proof`: of what this process computes, as any worker's.
    """

    schema: str
    size: int
    proof: str = ""


@dataclass(frozen=True)
class ProcessJoined:
    """A process below is ready for work."""

    name: str
    pid: int


@dataclass(frozen=True)
class ProcessLeft:
    """A process below that was ready has left, for any reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Summed:
    """The sums of a block of the share are there. `seconds`: the longest that a process computed for it.

    `parts`: what each process did for it in training, by name.
    """

    block: Block
    sums: Sums
    seconds: float
    parts: Mapping[str, relays.Contribution]


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Connected | Came | Prepared | ProcessJoined | ProcessLeft | Summed | Tick


@dataclass(frozen=True)
class Greet:
    """Ask to join the coordinator; `session` is the time with it."""

    session: Session


@dataclass(frozen=True)
class Begin:
    """Begin a round below over the share of `work`; one that is not complete is given up."""

    work: m.Work
    parameters: Vector


@dataclass(frozen=True)
class Answer:
    """Send the sums of a block of `work` up."""

    work: m.Work
    block: Block
    sums: Sums
    seconds: float


@dataclass(frozen=True)
class Close:
    """The processes below work no longer for the session that they were prepared for."""


Action = Greet | Begin | Answer | Close | session.Action


@dataclass
class _Share:
    work: m.Work
    blocks: set[Block]  # not answered yet


@dataclass
class _Staff:
    """The processes below that are ready, by name; `numbers`: what they are called above."""

    pids: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    since: float = 0.0  # when the first of these came
    given: int = 0  # numbers

    def add(self, name: str, pid: int, now: float) -> None:
        self.since = self.since if self.pids else now
        self.given += 1
        self.pids[name], self.numbers[name] = pid, self.given

    def forget_gone(self) -> None:
        self.numbers = {name: self.numbers[name] for name in self.pids}

    def enough(self, wanted: int, now: float) -> bool:
        return len(self.pids) >= wanted or (bool(self.pids) and now - self.since >= GATHER)


class Relay:
    """Feed it events with `handle`, and carry out what it returns in order. `processes`: how many there are to be."""

    def __init__(self, processes: int) -> None:
        self._wanted = processes
        self._session = Session()
        self._staff = _Staff()
        self._serves = ""  # the session that the processes below are prepared for
        self._prepared: Prepared | None = None
        self._ready = False  # READY was sent
        self._away = False  # GOODBYE was sent, as no process was left
        self._parameters: Vector = np.empty(0, np.float32)
        self._share: _Share | None = None
        self._left: list[m.Message] = []  # to be told when the share is answered: they may have computed some of it

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event at the monotonic time `now` (seconds) and return what to do.

        ProtocolError if a message does not belong here.
        """
        match event:
            case Connected():
                return self._connected()
            case Came(message, payload):
                return [done for action in self._session.handle(message, payload) for done in self._passed_on(action)]
            case Prepared():
                self._prepared = event
            case ProcessJoined(name, pid):
                self._staff.add(name, pid, now)
                if self._ready:
                    return [self._introduction(name)]
            case ProcessLeft(name, reason):
                return self._process_left(name, reason)
            case Summed():
                return self._summed(event)
            case Tick():
                pass
        return self._when_enough(now)

    def _connected(self) -> list[Action]:
        if self._away and not self._staff.pids:
            return []  # it greets when it has processes again
        return self._greet()

    def _greet(self) -> list[Action]:
        self._session = Session()
        self._prepared = self._share = None
        self._ready = self._away = False
        self._left = []
        return [Greet(self._session)]

    def _passed_on(self, action: session.Action) -> list[Action]:
        match action:
            case session.Prepare():
                return [*self._change_session(), action]
            case session.Compute(work, parameters):
                if parameters is not None:
                    self._parameters = parameters
                self._share = _Share(work, set(cover(work.start, work.stop, work.total)))
                return [Begin(work, self._parameters)]
            case session.Leave():
                return [*self._close(), *self._greet()]
            case _:
                return [action]

    def _change_session(self) -> list[Action]:
        """Let the processes go if they are prepared for another session: its versions are of other parameters."""
        changed = self._close() if self._serves not in ("", self._session.id) else []
        self._serves = self._session.id
        return changed

    def _close(self) -> list[Action]:
        self._staff = _Staff(given=self._staff.given)
        self._serves = ""
        return [Close()]

    def _when_enough(self, now: float) -> list[Action]:
        """Say that work may come, once the processes are there, or after a while those that are."""
        if not self._staff.enough(self._wanted, now):
            return []
        if self._away:
            return self._greet()
        if self._prepared is None or self._ready:
            return []
        self._ready = True
        done = self._prepared
        ready = self._session.prepared(done.schema, done.size, done.proof, len(self._staff.pids))
        return [*ready, *map(self._introduction, self._staff.pids)]

    def _introduction(self, name: str) -> session.Send:
        pids, numbers = self._staff.pids, self._staff.numbers
        return session.Send(relays.Process(self._session.id, numbers[name], pids[name]))

    def _process_left(self, name: str, reason: str) -> list[Action]:
        pid, number = self._staff.pids.pop(name), self._staff.numbers[name]
        if not self._ready:
            return []
        self._left.append(relays.Process(self._session.id, number, pid, m.clip(reason, 200)))
        if self._staff.pids:
            return [] if self._share else self._tell_left()
        told = self._tell_left()
        self._ready, self._away, self._share, self._prepared = False, True, None, None
        return [*told, session.Send(m.Goodbye(self._session.id, NOBODY))]

    def _tell_left(self) -> list[Action]:
        left, self._left = self._left, []
        if left:
            self._staff.forget_gone()
        return [session.Send(message) for message in left]

    def _summed(self, event: Summed) -> list[Action]:
        share = self._share
        if share is None or event.block not in share.blocks:
            return []
        share.blocks.remove(event.block)
        work, numbers = share.work, self._staff.numbers
        parts = [part._replace(number=numbers[name]) for name, part in event.parts.items() if name in numbers]
        credit = relays.Credit(work.session, work.round, work.attempt, *event.block)
        out: list[Action] = [session.Send(credit, relays.pack_credits(parts))] if parts else []
        out.append(Answer(work, event.block, event.sums, event.seconds))
        if not share.blocks:
            self._share = None
            out += self._tell_left()
        return out
