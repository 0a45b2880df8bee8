"""What a relay does when something happens: a state machine without sockets, clocks or files.

It stands between the session above (`workers.session`) and a round below (`engine.coordinator.rounds`), neither of
which waits for the other: a share is begun below, and anything that comes from above meanwhile is dealt with at once.

state       event                           action
greeting    WELCOME                         Prepare; Close before it, if the processes work for another session
preparing   Prepared, enough processes      Send PLACE, if it can be joined and the coordinator is above; else READY
placing     SEAT with an address            Try to reach that relay
placing     Tried, reached                  Send GOODBYE, Join
placing     SEAT without one, or Tried      Send READY, and PROCESS for each; what a number leads to: see `exchange`
working     WORK                            Begin a round below over the share; it takes the place of one before
working     Summed                          Send CREDIT, Answer
working     the last process left           Send GOODBYE, which gives the share back
away        enough processes again          Greet
any         Connected                       Greet: what was begun for the session before is not answered any more
any         INVITE                          Admit; for an exchange: see `exchange`
any         STOP, REFUSE                    Close, Over, and Greet or, if another relay is above, Return
"""

from dataclasses import dataclass

import numpy as np

from engine.compute.tree import Block, cover
from engine.nn.parameters import Vector
from engine.wire import exchange, relays
from engine.wire import messages as m
from workers import session
from workers.relay.events import (
    Action,
    Admit,
    Answer,
    Begin,
    Came,
    Close,
    Connected,
    Event,
    Greet,
    Join,
    Over,
    Prepared,
    ProcessJoined,
    ProcessLeft,
    Return,
    Summed,
    Told,
    Tried,
    Try,
)
from workers.relay.exchange import Action as ExchangeAction
from workers.relay.exchange import Exchange
from workers.relay.links import Met, Said, Unlink, Unsent
from workers.relay.ready_processes import ReadyProcesses
from workers.session import Session

MOVES = "it joins another relay"
NOBODY = "none of its processes is left"


@dataclass
class _Share:
    work: m.Work
    blocks: set[Block]  # not answered yet


class Relay:
    """Feed it events with `handle`, and carry out what it returns in order. `processes`: how many there are to be.

    `tree`: it joins other relays, and they join it; else it exchanges parts of vectors with them.
    """

    def __init__(self, processes: int, tree: bool = False) -> None:
        self._wanted, self._tree = processes, tree
        self._session, self._processes, self._exchange = Session(), ReadyProcesses(), Exchange()
        self._serves = ""  # the session that the processes below are prepared for
        self._prepared: Prepared | None = None
        self._ready = False  # READY was sent
        self._away = False  # GOODBYE was sent, as no process was left
        self._parameters: Vector = np.empty(0, np.float32)
        self._share: _Share | None = None
        self._home = True  # the coordinator is above, and not another relay
        self._placing = False  # PLACE was sent
        self._trying = False  # to reach another relay
        self._seated = False  # it is known what is above
        self._joined = 0  # relays that were told to join this one
        self._left: list[m.Message] = []  # to be told when the share is answered: they may have computed some of it

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event at the monotonic time `now` (seconds) and return what to do.

        ProtocolError if a message does not belong here.
        """
        self._exchange.now = now
        match event:
            case Connected() | Tried() | Told() | Came():
                return self._from_above(event, now)
            case Met() | Unsent() | Said():
                return self._exchanged(self._exchange.handle(event))
            case Prepared():
                self._prepared = event
            case ProcessJoined():
                self._processes.add(event, now)
                if self._ready:
                    return self._introduced(event.name)
            case ProcessLeft(name, reason):
                return self._process_left(name, reason)
            case Summed():
                return self._summed(event)
        return [*self._exchange.look(), *self._when_enough(now)]  # after a Tick, too

    def _from_above(self, event: Connected | Tried | Told | Came, now: float) -> list[Action]:
        match event:
            case Connected(home):
                return self._connected(home)
            case Tried(reached):
                return self._tried(reached, now)
            case Told(message) | Came(relays.Seat() | relays.Invite() as message):
                return self._about_the_tree(message, now)
            case Came(exchange.ToMember() as message, payload):
                return self._exchanged(self._exchange.told(message, payload))
            case Came(message, payload):
                return self._of_session(message, payload)

    def _of_session(self, message: m.Message, payload: m.Frame | None) -> list[Action]:
        if isinstance(message, m.Work):
            if message.roster and not self._ready:
                return []  # it crossed our GOODBYE
            if self._exchange.concerns(message):
                return self._exchanged(self._exchange.work(message, payload))
        return [done for action in self._session.handle(message, payload) for done in self._passed_on(action)]

    def _connected(self, home: bool) -> list[Action]:
        self._home = home
        if self._away and not self._processes.there:
            return []  # it greets when it has processes again
        return self._greet()

    def _greet(self) -> list[Action]:
        self._session = Session()
        self._prepared = self._share = None
        self._ready = self._away = self._placing = self._trying = False
        self._seated = not self._home
        self._left = []
        return [*self._leave_exchange(), Greet(self._session)]

    def _leave_exchange(self) -> list[Action]:
        left, self._exchange = self._exchange, Exchange()
        return [Unlink()] if left.number else []

    def _exchanged(self, actions: list[ExchangeAction]) -> list[Action]:
        """Return `actions`, followed by those for a share whose parameters have now all arrived."""
        out: list[Action] = [*actions]
        if whole := self._exchange.take_whole():
            for action in self._session.handle(whole.work, whole.payload):
                if not (whole.in_parts and isinstance(action, session.Send)):  # ARRIVED was sent with the own part
                    out += self._passed_on(action)
        return out

    def _about_the_tree(self, message: m.Message, now: float) -> list[Action]:
        match message:
            case relays.Invite(number=number) if number:
                return [*self._exchange.told(message)]
            case relays.Invite(session, key) if session == self._session.id:
                self._joined += 1
                return [Admit(key)]
            case relays.Seat(session, address, key) if session == self._session.id and self._placing:
                self._placing, self._trying, self._seated = False, bool(address), not address
                return [Try(address, key)] if address else [*self._exchange.seated(message), *self._when_enough(now)]
        return []

    def _tried(self, reached: bool, now: float) -> list[Action]:
        """Join the relay that was reached; without one, stay with the coordinator."""
        if not self._trying:
            return [Return()] if reached and self._home else []
        self._trying = False
        if reached:
            self._prepared = None  # what was begun for the coordinator is over
            return [session.Send(m.Goodbye(self._session.id, MOVES)), Join()]
        self._seated = True
        return self._when_enough(now)

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
                return [*self._close(), Over(), *self._greet_or_return()]
            case session.Quit() if not self._home:
                return self._greet_or_return()
            case _:
                return [action]

    def _greet_or_return(self) -> list[Action]:
        greet = self._greet()
        return greet if self._home else [Return()]

    def _change_session(self) -> list[Action]:
        """Let the processes go if they are prepared for another session: its versions are of other parameters."""
        changed = self._close() if self._serves not in ("", self._session.id) else []
        self._serves = self._session.id
        return changed

    def _close(self) -> list[Action]:
        self._processes = ReadyProcesses(given=self._processes.given)
        self._serves = ""
        return [Close()]

    def _when_enough(self, now: float) -> list[Action]:
        """Say that work may come, once the processes are there, or after a while those that are."""
        if not self._processes.enough(self._wanted, now):
            return []
        if self._away:
            return self._greet()
        done = self._prepared
        if done is None or self._ready or self._placing or self._trying:
            return []
        if done.address and not self._seated:
            self._placing = True
            place = relays.Place(self._session.id, done.address, done.key, self._joined, int(self._tree))
            return [session.Send(place)]
        self._ready, self._exchange.size = True, done.size
        ready = self._session.prepared(done.schema, done.size, done.proof, self._processes.computing())
        return [*ready, *self._introduced(*self._processes.there)]

    def _introduced(self, *names: str) -> list[Action]:
        return [session.Send(self._processes.introduction(name, self._session.id)) for name in names]

    def _process_left(self, name: str, reason: str) -> list[Action]:
        gone = self._processes.drop(name, self._session.id, m.clip(reason, m.REASON_LIMIT))
        if not self._ready:
            return []
        self._left.append(gone)
        if self._processes.there:
            return [] if self._share else self._tell_left()
        told = self._tell_left()
        self._ready, self._away, self._share, self._prepared = False, True, None, None
        return [*told, session.Send(m.Goodbye(self._session.id, NOBODY)), *self._leave_exchange()]

    def _tell_left(self) -> list[Action]:
        left, self._left = self._left, []
        if left:
            self._processes.forget_gone()
        return [session.Send(message) for message in left]

    def _summed(self, event: Summed) -> list[Action]:
        share = self._share
        if share is None or event.block not in share.blocks:
            return []
        share.blocks.remove(event.block)
        work, numbers = share.work, self._processes.numbers
        parts = [part._replace(number=numbers[name]) for name, part in event.parts.items() if name in numbers]
        credit = relays.Credit(work.session, work.round, work.attempt, *event.block)
        out: list[Action] = [session.Send(credit, relays.pack_credits(parts))] if parts else []
        if work.roster and event.sums.gradient is not None:
            out[:0] = self._exchange.summed(work, event.block, event.sums.gradient)
        out.append(Answer(work, event.block, event.sums, event.seconds))
        if not share.blocks:
            self._share = None
            out += self._tell_left()
        return out
