"""What a relay decides: events in, actions out, without a clock or a network."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.compute import tree
from engine.compute.sums import Sums
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire import relays
from tests.support.fakes import JOB, MODEL
from tests.support.tools import LONGER
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
    Tick,
    Told,
    Tried,
    Try,
)
from workers.relay.ready_processes import GATHER
from workers.relay.relay import MOVES, NOBODY, Relay
from workers.session import Leave, Prepare, Quit, Send

LAYOUT = MODEL.layout()
PARAMETERS = np.arange(LAYOUT.size, dtype=np.float32)
WORK = m.Work("s", round=4, attempt=7, kind=m.WorkKind.TRAIN, step=3, start=0, stop=3, total=6, version=2)
SUMS = Sums(1.0, 2, PARAMETERS)
PART = relays.Contribution(0, 8, 0.25, 1.0)


class Box:
    """A relay for two processes, and its time."""

    def __init__(self) -> None:
        self.relay = Relay(2)
        self.now = 10.0

    def tell(self, *events: Event) -> list[Action]:
        return [action for event in events for action in self.relay.handle(event, self.now)]

    def welcome(self, session: str = "s") -> list[Action]:
        return self.tell(Came(m.Welcome(session, "box:1", 0), m.pack(JOB.describe())))

    def working(self) -> "Box":
        self.tell(Connected())
        self.welcome()
        self.tell(Prepared(LAYOUT.digest, LAYOUT.size), ProcessJoined("a", 1), ProcessJoined("b", 2))
        return self

    def work(self, work: m.Work = WORK) -> list[Action]:
        return self.tell(Came(work, PARAMETERS.tobytes()))


def said(actions: list[Action]) -> list[m.Message]:
    return [action.message for action in actions if isinstance(action, Send)]


def summed(*block: int, parts: dict[str, relays.Contribution] | None = None) -> Summed:
    return Summed((block[0], block[1]), SUMS, 0.5, parts or {})


def test_it_joins_when_its_processes_are_there() -> None:
    box = Box()
    (greet,) = box.tell(Connected())
    assert isinstance(greet, Greet)
    assert box.welcome() == [Prepare(JOB, 0)]
    assert box.tell(ProcessJoined("a", 11)) == []
    assert box.tell(Prepared(LAYOUT.digest, LAYOUT.size)) == []
    ready = m.Ready("s", LAYOUT.digest, "", 2)
    assert said(box.tell(ProcessJoined("b", 22))) == [
        ready,
        relays.Process("s", 1, 11, processes=2),
        relays.Process("s", 2, 22, processes=2),
    ]
    assert said(box.tell(ProcessJoined("c", 33))) == [relays.Process("s", 3, 33, processes=3)]


def test_it_does_not_wait_for_ever_for_the_others() -> None:
    box = Box()
    box.tell(Connected())
    box.welcome()
    box.tell(Prepared(LAYOUT.digest, LAYOUT.size), ProcessJoined("a", 11))
    box.now += GATHER - 0.1
    assert box.tell(Tick()) == []
    box.now += 0.1
    assert said(box.tell(Tick()))[0] == m.Ready("s", LAYOUT.digest, "", 1)


def test_a_share_goes_down_and_its_blocks_come_up() -> None:
    box = Box().working()
    arrived, begin = box.work()
    assert arrived == Send(m.Arrived("s", 4, 7))
    assert isinstance(begin, Begin)
    assert begin.work == WORK
    assert begin.parameters.tobytes() == PARAMETERS.tobytes()
    credit, answer = box.tell(summed(0, 2, parts={"a": PART, "b": PART._replace(images=3)}))
    assert isinstance(credit, Send)
    assert credit.message == relays.Credit("s", 4, 7, 0, 2)
    assert relays.credits_of(credit.payload) == [PART._replace(number=1), PART._replace(number=2, images=3)]
    assert answer == Answer(WORK, (0, 2), SUMS, 0.5)
    assert box.tell(summed(2, 3)) == [Answer(WORK, (2, 3), SUMS, 0.5)], "of a validation nobody is credited"
    assert box.tell(summed(2, 3)) == [], "once is enough"


def test_parameters_that_it_has_are_used_again() -> None:
    box = Box().working()
    box.work()
    (begin,) = box.tell(Came(m.Work("s", 5, 8, m.WorkKind.TRAIN, 3, 4, 6, 6, version=2)))
    assert isinstance(begin, Begin)
    assert begin.parameters.tobytes() == PARAMETERS.tobytes()


def test_messages_are_dealt_with_in_the_middle_of_a_round() -> None:
    box = Box().working()
    box.work()
    assert box.tell(Came(m.Ping("s"))) == []
    other = m.Work("s", 5, 8, m.WorkKind.TRAIN, 3, 4, 6, 6, version=2)
    assert [type(action) for action in box.tell(Came(other))] == [Begin], "the new share takes the place of the old"
    assert box.tell(summed(0, 2)) == []
    close, over, greet = box.tell(Came(m.Stop("s", "the run is over")))
    assert (close, over) == (Close(), Over())
    assert isinstance(greet, Greet)
    assert box.tell(summed(4, 6)) == []


def test_a_process_that_left_is_told_of_when_what_it_has_computed_is_told() -> None:
    box = Box().working()
    box.work()
    assert box.tell(ProcessLeft("a", "killed")) == []
    box.tell(summed(0, 2, parts={"a": PART}))
    credit, _, left = box.tell(summed(2, 3, parts={"a": PART}))
    assert isinstance(credit, Send)
    assert relays.credits_of(credit.payload) == [PART._replace(number=1)]
    assert isinstance(left, Send)
    assert left.message == relays.Process("s", 1, 1, "killed")
    assert said(box.tell(ProcessJoined("c", 3))) == [relays.Process("s", 3, 3, processes=2)]
    assert said(box.tell(ProcessLeft("c", "x"))) == [relays.Process("s", 3, 3, "x")], "there is no share"


def test_without_processes_it_says_goodbye_and_returns() -> None:
    box = Box().working()
    box.work()
    box.tell(ProcessLeft("a", "killed"))
    *_, goodbye = said(box.tell(ProcessLeft("b", "killed")))
    assert goodbye == m.Goodbye("s", NOBODY)
    assert box.tell(summed(0, 2)) == [], "others have its share"
    assert box.tell(Connected()) == [], "it has nothing to offer"
    assert box.tell(ProcessJoined("c", 3)) == []
    (greet,) = box.tell(ProcessJoined("d", 4))
    assert isinstance(greet, Greet)
    assert box.welcome() == [Prepare(JOB, 0)], "the processes stay as they are"
    assert said(box.tell(Prepared(LAYOUT.digest, LAYOUT.size)))[0] == m.Ready("s", LAYOUT.digest, "", 2)


def test_another_session_has_other_parameters_under_the_same_version() -> None:
    box = Box().working()
    box.tell(Connected())
    close, prepare = box.welcome("t")
    assert isinstance(close, Close)
    assert prepare == Prepare(JOB, 0)
    assert box.tell(Prepared(LAYOUT.digest, LAYOUT.size)) == [], "the processes have to join again"


def test_what_is_not_for_it() -> None:
    box = Box().working()
    with pytest.raises(ProtocolError):
        box.tell(Came(m.Hello("x", 1, "")))
    assert box.tell(Came(m.Refuse("no"))) == [Quit("the coordinator refused this worker: no", 1)]
    assert not any(isinstance(action, Leave) for action in box.tell(Came(m.Stop("another", ""))))


PLACED = Prepared(LAYOUT.digest, LAYOUT.size, "", "tcp://10.0.0.1:5", "ab" * 32)


def placing(invited: bool = False) -> Box:
    """Return a relay that has asked where to join."""
    box = Box()
    box.tell(Connected())
    box.welcome()
    box.tell(ProcessJoined("a", 11), ProcessJoined("b", 22))
    if invited:
        assert box.tell(Came(relays.Invite("s", "cd" * 32))) == [Admit("cd" * 32)]
    place = relays.Place("s", "tcp://10.0.0.1:5", "ab" * 32, int(invited))
    assert said(box.tell(PLACED)) == [place]
    assert box.tell(Tick()) == [], "it waits for the answer"
    return box


SEAT = Came(relays.Seat("s", "tcp://10.0.0.2:6", "ef" * 32))


def joined() -> Box:
    """Return a relay that has joined another."""
    box = placing()
    assert box.tell(SEAT) == [Try("tcp://10.0.0.2:6", "ef" * 32)]
    assert box.tell(Tick()) == []
    goodbye, join = box.tell(Tried(reached=True))
    assert goodbye == Send(m.Goodbye("s", MOVES))
    assert join == Join()
    assert box.tell(Tick(), Came(relays.Seat("s"))) == [], "it has not greeted the other yet"
    (greet,) = box.tell(Connected(home=False))
    assert isinstance(greet, Greet)
    assert box.welcome() == [Prepare(JOB, 0)], "its processes keep what they have"
    assert said(box.tell(PLACED))[0] == m.Ready("s", LAYOUT.digest, "", 2), "there it does not ask again"
    return box


def test_it_stays_with_the_coordinator_that_says_so() -> None:
    box = placing()
    assert said(box.tell(Came(relays.Seat("s"))))[0] == m.Ready("s", LAYOUT.digest, "", 2)
    assert box.tell(SEAT) == [], "it has not asked"


def test_a_seat_of_another_session_is_none() -> None:
    box = placing()
    assert box.tell(Came(relays.Seat("t", "tcp://10.0.0.2:6", "ef" * 32)), Came(relays.Seat("t"))) == []
    assert box.tell(SEAT) == [Try("tcp://10.0.0.2:6", "ef" * 32)]


def test_it_stays_with_the_coordinator_where_the_other_cannot_be_reached() -> None:
    box = placing(invited=True)
    box.tell(SEAT)
    assert said(box.tell(Tried(reached=False)))[0] == m.Ready("s", LAYOUT.digest, "", 2)
    assert box.tell(Tried(reached=True)) == [Return()]


def test_while_another_is_above_the_coordinator_may_only_invite() -> None:
    box = joined()
    assert box.tell(Told(relays.Invite("s", "cd" * 32))) == [Admit("cd" * 32)]
    assert box.tell(Told(relays.Invite("another", "cd" * 32))) == []
    assert box.tell(Told(m.Stop("s", "no"))) == []
    _, begin = box.work()
    assert isinstance(begin, Begin)


def test_it_returns_when_the_one_above_is_gone_or_does_not_want_it() -> None:
    box = joined()
    box.work()
    (greet,) = box.tell(Connected())
    assert isinstance(greet, Greet)
    box.welcome()
    assert said(box.tell(PLACED)) == [relays.Place("s", "tcp://10.0.0.1:5", "ab" * 32)]
    assert box.tell(summed(0, 2)) == [], "others have its share"
    box = joined()
    assert box.tell(Came(m.Refuse("bad luck"))) == [Return()]
    close, over, back = joined().tell(Came(m.Stop("s", "the run is over")))
    assert (close, over, back) == (Close(), Over(), Return())


def test_the_processes_of_a_relay_that_joined_it_are_made_known_as_such() -> None:
    box = Box().working()
    (one,) = said(box.tell(ProcessJoined("r", 5, "there")))
    assert one == relays.Process("s", 3, 5, "", 3, "there")
    (two,) = said(box.tell(ProcessJoined("r.a", 6, "there", "r")))
    assert two == relays.Process("s", 4, 6, "", 3, "there", 3), "the relay itself does not compute"
    (gone,) = said(box.tell(ProcessLeft("r.a", "killed")))
    assert gone == relays.Process("s", 4, 6, "killed", 3)


class AnyOrder(RuleBasedStateMachine):
    """Keeps, in plain words, what may be answered; whatever happens, that and nothing else is."""

    NAMES = st.sampled_from(["a", "b", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.relay = Relay(2)
        self.now = 0.0
        self.there: dict[str, int] = {}
        self.told: dict[int, str] = {}  # the processes that are known above, by number
        self.session = ""
        self.number = self.attempt = 0
        self.welcomed = self.prepared = self.ready = self.asked = self.trying = self.joins = False
        self.home = True
        self.due: set[tree.Block] = set()
        self.work: m.Work | None = None

    def tell(self, event: Event) -> list[Action]:
        actions = self.relay.handle(event, self.now)
        for action in actions:
            match action:
                case Greet():
                    self.welcomed = self.prepared = self.ready = self.asked = self.trying = False
                    self.due, self.told = set(), {}
                case Close():
                    self.there = {}
                case Send(m.Ready(_, _, _, processes)):
                    assert self.prepared
                    assert not self.ready
                    assert processes == len(self.there) > 0
                    self.ready = True
                case Send(m.Goodbye()):
                    assert self.ready
                    assert not self.there
                    self.ready = self.prepared = False
                    self.due, self.told = set(), {}
                case Send(relays.Process(session, number, _, reason)):
                    assert (session, self.ready) == (self.session, True)
                    assert (number in self.told) == bool(reason)
                    self.told[number] = reason
                    if reason:
                        del self.told[number]
                case Send(relays.Place()):
                    assert self.home
                    assert self.prepared
                    assert not self.ready
                    assert not self.asked, "it asks once"
                    self.asked = True
                case Try():
                    self.trying = True
                case Join():
                    assert self.trying
                    self.trying = False
                    self.joins = True
                case Return():
                    self.joins = self.joins or not self.home
                case Send(relays.Credit(), payload):
                    assert {one.number for one in relays.credits_of(payload)} <= self.told.keys()
        return actions

    @rule(home=st.booleans())
    def connection(self, home: bool) -> None:
        self.home = home or not (self.joins or not self.home)
        self.joins = False
        self.tell(Connected(self.home))

    @rule(elsewhere=st.booleans(), session=st.booleans())
    def seat(self, elsewhere: bool, session: bool) -> None:
        of = self.session if session else "another"
        seat = relays.Seat(of, "tcp://10.0.0.2:6", "ef" * 32) if elsewhere else relays.Seat(of)
        actions = self.tell(Came(seat))
        assert self.asked or not actions

    @rule(reached=st.booleans())
    def tried(self, reached: bool) -> None:
        self.tell(Tried(reached))

    @rule(told=st.booleans())
    def invite(self, told: bool) -> None:
        invite = relays.Invite(self.session, "cd" * 32)
        self.tell(Told(invite) if told else Came(invite))

    @rule(new=st.booleans())
    def welcome(self, new: bool) -> None:
        if self.welcomed:
            return
        self.number += new or not self.session
        self.session = f"session {self.number}"
        self.welcomed = True
        try:
            self.tell(Came(m.Welcome(self.session, "box:1", 0), m.pack(JOB.describe())))
        except ProtocolError:  # it has said goodbye, and not greeted yet
            self.welcomed = False

    @precondition(lambda self: self.welcomed)
    @rule(placed=st.booleans())
    def prepare(self, placed: bool) -> None:
        if not self.prepared and not self.ready:
            self.prepared = True
            self.tell(PLACED if placed else Prepared(LAYOUT.digest, LAYOUT.size))

    @rule(name=NAMES)
    def join(self, name: str) -> None:
        if name not in self.there:
            self.there[name] = 1
            self.tell(ProcessJoined(name, 1))

    @rule(name=NAMES)
    def leave(self, name: str) -> None:
        if self.there.pop(name, 0):
            self.tell(ProcessLeft(name, "gone"))

    @rule(seconds=st.sampled_from([0.0, 1.0, GATHER]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick())

    @precondition(lambda self: self.ready)
    @rule(start=st.integers(0, 5), size=st.integers(1, 6))
    def share(self, start: int, size: int) -> None:
        stop = min(start + size, 6)
        self.attempt += 1
        work = m.Work(self.session, 1, self.attempt, m.WorkKind.TRAIN, 3, start, stop, 6, version=2)
        _, begin = self.tell(Came(work, PARAMETERS.tobytes()))
        assert isinstance(begin, Begin)
        self.work, self.due = work, set(tree.cover(start, stop, 6))

    @rule(block=st.sampled_from([(0, 4), (0, 2), (2, 4), (4, 6), (0, 1), (1, 2), (5, 6)]), name=NAMES)
    def summed(self, block: tree.Block, name: str) -> None:
        actions = self.tell(Summed(block, SUMS, 0.5, {name: PART}))
        answers = [action for action in actions if isinstance(action, Answer)]
        assert [(one.work, one.block) for one in answers] == ([(self.work, block)] if block in self.due else [])
        self.due.discard(block)

    @precondition(lambda self: self.welcomed)
    @rule()
    def stop(self) -> None:
        self.tell(Came(m.Stop(self.session, "x")))
        self.session = ""

    @invariant()
    def those_known_above_are_at_least_those_that_are_there(self) -> None:
        if self.ready:
            assert len(self.told) >= len(self.there)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100 * LONGER, stateful_step_count=40, deadline=None)
