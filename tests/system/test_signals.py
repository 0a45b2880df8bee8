"""Signals as a wish: the first is noted, Ctrl-C after that interrupts once, and all is put back in the end."""

import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.system import signals
from engine.system.forks import own_process
from engine.system.signals import (
    NEAR_LIMIT,
    SIGNALS,
    STUCK,
    TOGETHER,
    Interrupt,
    interrupts_kept,
    near_limit_blocked,
    near_limit_ignored,
)
from tests.support.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What was in place before a test is so after it, whatever `Interrupt` does."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_a_wish(number: signal.Signals, clock: FakeClock) -> None:
    told: list[str] = []
    signal.signal(number, signal.default_int_handler)
    with Interrupt(lambda: told.append("once"), clock) as wish:
        assert not wish.requested
        send(number)
        assert (wish.requested, told) == (number.name, ["once"])
    assert signal.getsignal(number) is signal.default_int_handler


def test_a_second_ctrl_c_interrupts_and_a_third_disturbs_only_what_has_come_to_a_stop(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with own_process(), Interrupt(clock=clock) as wish:
        send(signal.SIGTERM)
        clock.time += 2 * TOGETHER
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        clock.time += STUCK / 2
        send(signal.SIGINT)
        clock.time += STUCK / 2
        send(signal.SIGTERM)
        assert (wish.requested, codes) == ("SIGTERM", [])
        send(signal.SIGINT)
        assert codes == [130]


def test_a_program_that_is_not_ours_is_not_ended(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail(f"exit code {code}"))
    with Interrupt(clock=clock):
        send(signal.SIGTERM)
        for wait in (2 * TOGETHER, STUCK):
            clock.time += wait
            with pytest.raises(KeyboardInterrupt):
                send(signal.SIGINT)


def test_the_same_ctrl_c_may_come_twice(clock: FakeClock) -> None:
    with Interrupt(clock=clock) as wish:
        send(signal.SIGINT)
        clock.time += TOGETHER / 2
        send(signal.SIGINT)
        assert wish.requested == "SIGINT"


def test_other_signals_never_interrupt(clock: FakeClock) -> None:
    with Interrupt(clock=clock) as wish:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            send(number)
            clock.time += 10
        assert wish.requested == "SIGHUP"


@pytest.mark.parametrize("number", SIGNALS)
def test_what_was_ignored_stays_ignored(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with Interrupt() as wish:
        send(number)
        assert not wish.requested
    assert signal.getsignal(number) is signal.SIG_IGN


def test_handlers_come_back_after_an_exception() -> None:
    before: list[Any] = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyError), Interrupt():
        raise KeyError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_in_another_thread_it_does_nothing() -> None:
    seen: list[object] = []

    def enter() -> None:
        with Interrupt() as wish:
            seen.append((wish.requested, [signal.getsignal(number) for number in SIGNALS]))

    before = [signal.getsignal(number) for number in SIGNALS]
    run_in_thread(enter)
    assert seen == [("", before)]


@pytest.mark.parametrize("number", NEAR_LIMIT)
def test_warnings_of_a_cluster_manager_can_be_ignored_for_a_while(number: signal.Signals) -> None:
    signal.signal(number, signal.default_int_handler)
    with near_limit_ignored():
        send(number)
    assert signal.getsignal(number) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        send(number)


@pytest.mark.parametrize("number", NEAR_LIMIT)
def test_a_process_that_is_started_with_them_blocked_survives_them(number: signal.Signals) -> None:
    program = "import os, sys; os.kill(os.getpid(), int(sys.argv[1])); print('alive')"
    command = [sys.executable, "-c", program, str(int(number))]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -number
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with near_limit_blocked():
        assert subprocess.run(command, capture_output=True, check=False).stdout == b"alive\n"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def run_in_thread(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def drop(error: BaseException) -> None:
    """Raise an error where Python drops it."""

    def callback(_: object) -> None:
        raise error

    thing = threading.Event()
    gone = weakref.ref(thing, callback)
    del thing
    assert gone() is None


def send_where_it_is_dropped(number: int) -> None:
    """Send this process a signal that finds it where Python drops what is raised."""
    thing = threading.Event()
    gone = weakref.ref(thing, lambda _: os.kill(os.getpid(), number))
    del thing
    assert gone() is None


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(3000):
        if done():
            return
        threading.Event().wait(0.01)


def test_an_interrupt_that_python_drops_is_kept_and_another_error_is_told_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_value))
    came: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    with interrupts_kept(lambda: signal.SIGUSR1):
        drop(ValueError("other"))
        drop(KeyboardInterrupt())
        wait_until(lambda: bool(came))
    assert came == [signal.SIGUSR1]
    drop(KeyboardInterrupt())
    assert [type(error) for error in told] == [ValueError, KeyboardInterrupt], "afterwards all is as before"


def test_a_second_ctrl_c_whose_interrupt_python_drops_comes_again(clock: FakeClock) -> None:
    with Interrupt(clock=clock) as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        clock.time += 2 * TOGETHER
        with pytest.raises(KeyboardInterrupt):
            send_where_it_is_dropped(signal.SIGINT)
            threading.Event().wait(30)
        assert interrupt.at_once


def test_an_interrupt_that_comes_too_late_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "AFTER", 600.0)
    came: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    before = set(threading.enumerate())
    with interrupts_kept(lambda: signal.SIGUSR1):
        drop(KeyboardInterrupt())
        timers = set(threading.enumerate()) - before
    for timer in timers:
        timer.join()
    assert timers
    assert not came
