"""What sockets of both ends have in common."""

import threading

import pytest
import zmq

from engine.wire.sockets import end


class Stuck(zmq.Context[zmq.Socket[bytes]]):
    """A context whose threads end when the test says so."""

    released = threading.Event()

    def term(self) -> None:
        self.released.wait()
        super().term()


def never() -> None:
    raise AssertionError("there is nothing to hang up on")


def test_a_context_ends() -> None:
    assert end(zmq.Context(), never)


def test_one_that_does_not_end_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    context = Stuck()
    calls: list[str] = []
    assert not end(context, lambda: calls.append("hang up"), patience=0.0)
    assert calls == ["hang up"]
    assert "did not end its threads" in caplog.text
    context.released.set()
    for thread in threading.enumerate():
        if thread.name == "end of ZeroMQ":
            assert thread.daemon, "the process could not end"
            thread.join()
    assert context.closed
