"""What a run says that waits for workers on other machines."""

import socket

from engine.training.absent_workers import PATIENCE, AbsentWorkers
from engine.training.reporter import Reporter
from engine.wire import Listener
from engine.wire.address import Address
from tests.support.fakes import FakeClock


class Said(Reporter):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def waiting(self, text: str) -> None:
        self.texts.append(text)


def wait(listener: Listener, ready: int, wanted: int = 2) -> str:
    """Return what is said when `ready` workers of those that are wanted are there after a while."""
    said, clock = Said(), FakeClock()
    waiting = AbsentWorkers("tcp://10.0.0.1,10.1.0.1:5000", wanted, listener, said, clock)
    waiting.look(ready)
    assert not said.texts
    clock.time += PATIENCE
    waiting.look(ready)
    clock.time += PATIENCE
    waiting.look(ready)
    [text] = said.texts
    return text


def test_why_nobody_comes() -> None:
    with Listener("tcp://127.0.0.1:0", 1000) as listener:
        text = wait(listener, 0)
        assert text.startswith(
            "still waiting: 0 of 2 workers are there. No connection came in at tcp://10.0.0.1,10.1.0.1:"
        )
        assert "does it reach 10.0.0.1 or 10.1.0.1, and does a firewall let port 5000 in" in text
        with socket.create_connection(("127.0.0.1", Address.parse(listener.address).port)):
            while not listener.accepted():
                listener.poll(0.01)
            assert "1 connection came in, but no worker joined yet: does it have the key" in wait(listener, 0)
            assert "Start more, or give a smaller --min-workers" in wait(listener, 1)


def test_where_enough_came_nothing_is_said() -> None:
    with Listener("tcp://127.0.0.1:0", 1000) as listener:
        said, clock = Said(), FakeClock()
        waiting = AbsentWorkers("tcp://10.0.0.1:5000", 1, listener, said, clock)
        clock.time += PATIENCE
        waiting.look(1)
        assert not said.texts
