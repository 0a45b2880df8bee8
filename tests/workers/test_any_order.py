"""The worker's side of the protocol with messages in any order, from this session and from others."""

from dataclasses import replace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from engine.errors import ProtocolError
from engine.wire import messages as m
from tests.support.fakes import JOB, MODEL
from tests.support.tools import LONGER
from workers.session import Action, Compute, Leave, Prepare, Send, Session, Store

LAYOUT = MODEL.layout()
PAYLOAD = np.arange(LAYOUT.size, dtype=np.float32).tobytes()
DESCRIPTION = m.pack(JOB.describe())
SESSIONS = st.sampled_from(["s", "t", "u"])
WORK = m.Work("s", round=1, attempt=1, kind=m.WorkKind.TRAIN, step=1, start=0, stop=2, total=6, version=0)


class AnyOrder(RuleBasedStateMachine):
    """Keeps, in plain words, what the worker may know: its session, whether it is ready, what it holds and wants."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session()
        self.id = ""
        self.ready = False
        self.held: int | None = None
        self.wanted: int | None = None

    def give(self, message: m.Message, payload: bytes | None = None) -> list[Action] | None:
        """Return the actions; None if the message was refused, which must not have changed anything."""
        before = vars(self.session).copy()
        try:
            return self.session.handle(message, payload)
        except ProtocolError:
            assert vars(self.session) == before
            return None

    @rule(session=SESSIONS)
    def welcome(self, session: str) -> None:
        actions = self.give(m.Welcome(session, "box:1"), DESCRIPTION)
        if session == self.id:
            assert actions is None, "one welcome a session"
            return
        assert actions == [Prepare(JOB, 0)]
        self.id, self.ready, self.held, self.wanted = session, False, None, None

    @rule(offset=st.integers(0, 3))
    def data_is_missing(self, offset: int) -> None:
        if self.id and not self.ready:
            assert self.session.fetch(offset) == [Send(m.Fetch(self.id, offset))]
            self.wanted = offset

    @rule(session=SESSIONS, offset=st.integers(0, 3))
    def chunk(self, session: str, offset: int) -> None:
        actions = self.give(m.Chunk(session, offset, 9), b"abc")
        if session != self.id:
            assert actions == []
        elif offset == self.wanted:
            assert actions == [Store(b"abc", 9)]
            self.wanted = None
        else:
            assert actions is None, "only what was asked for"

    @rule()
    def prepared(self) -> None:
        if self.id and not self.ready:
            ready = m.Ready(self.id, LAYOUT.digest, "p")
            assert self.session.prepared(LAYOUT.digest, LAYOUT.size, "p") == [Send(ready)]
            self.ready = True

    @rule(session=SESSIONS, version=st.integers(0, 2), start=st.integers(0, 3), given=st.booleans())
    def work(self, session: str, version: int, start: int, given: bool) -> None:
        work = replace(WORK, session=session, version=version, start=start)
        actions = self.give(work, PAYLOAD if given else None)
        if session != self.id:
            assert actions == [], "what another session wants is not computed"
        elif not self.ready or start >= work.stop or not (given or version == self.held):
            assert actions is None
        else:
            assert actions is not None
            *arrived, action = actions
            assert arrived == [Send(m.Arrived(session, work.round, work.attempt))] * given
            assert isinstance(action, Compute)
            assert action.work == work
            assert (action.parameters is not None) == given
            self.held = version

    @rule(session=SESSIONS)
    def stop(self, session: str) -> None:
        assert self.give(m.Stop(session, "x")) == ([Leave()] if session == self.id else [])

    @rule(session=SESSIONS)
    def ping(self, session: str) -> None:
        assert self.give(m.Ping(session)) == []


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=200 * LONGER, stateful_step_count=30)
