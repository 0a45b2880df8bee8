"""What comes in from the peers: messages, and the silence of those that cannot be reached. All of it becomes events."""

import math

from engine.compute.sums import bits_of
from engine.coordinator import rounds
from engine.coordinator.dispatcher import REFUSED, Dispatcher, EventSums
from engine.coordinator.notices import NoticeKind
from engine.coordinator.peers import LOOK, OfSession, Peers
from engine.coordinator.vain import LOST
from engine.errors import ProtocolError, WorkerFailedError
from engine.system.clock import Clock
from engine.wire import Received, exchange, relays
from engine.wire import messages as m
from engine.wire.tracebacks import traceback_of

FAILURES = 3  # failures of workers in one round that end the run: it is not the workers' fault


class Inbox:
    """Takes messages, and lets the dispatcher handle each before it takes the next."""

    def __init__(self, clock: Clock, peers: Peers, dispatcher: Dispatcher) -> None:
        self._clock = clock
        self._peers = peers
        self._dispatcher = dispatcher

    def wait(self) -> None:
        """Wait for something to happen, not for long, and deal with it."""
        now = self._clock.now()
        deadline = self._dispatcher.next_deadline()
        timeout = LOOK if deadline is None else min(LOOK, max(0.0, deadline - now))
        received = self._peers.poll(timeout)
        for one in received:
            self._receive(one)
            self._dispatcher.handle_events()
        lost = self._peers.unreachable()
        for peer in lost:
            self._dispatcher.lose(peer, LOST)
        looked = self._peers.look(idle=not received)
        if looked:
            self._dispatcher.put(rounds.Tick())
        if looked or lost:  # else all that came in has been worked off
            self._dispatcher.handle_events()

    def _receive(self, received: Received) -> None:
        """Take one message from a peer; a peer that sends a bad one is refused and lost."""
        try:
            message, payload = m.decode(received.frames)
            self._act(received.peer, message, payload)
        except ProtocolError as error:
            self._peers.refuse(received.peer, str(error))
            self._dispatcher.lose(received.peer, REFUSED)

    def _act(self, peer: bytes, message: m.Message, payload: m.Frame | None) -> None:
        match message:
            case m.Result() if self._peers.has_joined(peer, message.session):  # first, since most are this
                self._result(peer, message, payload)
            case m.Hello():
                self._dispatcher.lose(peer, "it started again")
                self._peers.greet(peer, message)
                self._dispatcher.unasked(peer)
            case m.Arrived() if self._peers.has_joined(peer, message.session):
                self._dispatcher.arrived(peer, message.attempt)
            case _ if isinstance(message, OfSession) and not self._peers.has_joined(peer, message.session):
                self._peers.redirect(peer, message)
                self._dispatcher.unasked(peer)
            case m.Fetch():
                if not self._peers.feed(peer, message):
                    self._dispatcher.unasked(peer)
            case m.Ready():
                self._ready(peer, message)
            case relays.FromRelay():
                self._from_relay(peer, message, payload)
            case m.Failed():
                self._failed(peer, traceback_of(message, payload))
            case m.Goodbye():
                self._dispatcher.lose(peer, message.reason, NoticeKind.LEFT)
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for the coordinator")

    def _ready(self, peer: bytes, ready: m.Ready) -> None:
        if member := self._peers.admit(peer, ready):
            self._dispatcher.put(rounds.Joined(peer, member.host, ready.processes))
        else:
            self._dispatcher.lose(peer, REFUSED)

    def _from_relay(self, peer: bytes, message: relays.FromRelay, payload: m.Frame | None) -> None:
        match message:
            case relays.Place():
                self._peers.links.seat(peer, message)
            case exchange.Met():
                for stranded in self._dispatcher.exchanges.met(peer, message):
                    self._dispatcher.put(rounds.Stranded(stranded))
            case exchange.Fault():
                for stranded in self._dispatcher.exchanges.fault(peer, message):
                    self._dispatcher.put(rounds.Stranded(stranded))
            case exchange.Sum():
                self._dispatcher.exchanges.sum(peer, message, payload, self._clock.now())
            case relays.Credit():
                self._peers.processes.credit(peer, message, payload)
            case relays.Process(processes=processes):
                left = self._peers.processes.note(peer, message)
                self._dispatcher.put(rounds.Resized(peer, max(1, processes)))
                if left:
                    self._dispatcher.unasked(peer)

    def _failed(self, peer: bytes, traceback: str) -> None:
        member = self._peers.local(peer)  # remote workers are not trusted
        last = traceback.strip().rpartition("\n")[2]
        self._dispatcher.lose(peer, f"it failed: {last[: m.ERROR_LIMIT]}", detail=traceback)
        active = self._dispatcher.active
        if active is not None and member is not None and member.ready:
            active.failures += 1
            if active.failures >= FAILURES:
                raise WorkerFailedError(f"worker {member.name} failed, as did others before it", traceback)

    def _result(self, peer: bytes, result: m.Result, payload: m.Frame | None) -> None:
        """Tell the scheduler about the sums of a block; they count if they are the first for it."""
        self._peers.useful(peer)
        active, block = self._dispatcher.active, (result.start, result.stop)
        if active is None or result.round != active.work.round:
            self._dispatcher.put(rounds.Answered(peer, result.round, result.attempt, block, seconds=result.seconds))
            return
        exchanges = self._dispatcher.exchanges
        in_parts = exchanges.answers_in_parts(peer, result, payload)
        if in_parts:
            sums = active.sums.check_without_vector(result)
        else:
            sums = active.sums.check(result, self._peers.gradient(peer, result, payload))
        finite = math.isfinite(sums.loss)  # of the gradient only the sum over the batch is looked at
        if not finite:  # two workers must agree on it, which takes whole vectors
            exchanges.give_up("an answer was not finite")
        if in_parts and active.spoilt:
            return
        bits = bits_of(sums) if not finite or self._dispatcher.scheduler.in_question(block) else None
        answered = rounds.Answered(peer, result.round, result.attempt, block, bits, finite, result.seconds)
        formed = self._peers.formed(peer, result) if result.formed else ()
        self._dispatcher.put(answered, EventSums(sums, (peer, result), formed, in_parts))
