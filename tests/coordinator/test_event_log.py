"""A failure that should not be comes with the events that led to it."""

import logging

import pytest

from engine.coordinator.event_log import NOTED, WIDEST
from engine.coordinator.inbox import FAILURES
from engine.errors import WorkerFailedError, WorkersError
from tests.coordinator.test_coordinator import Box
from tests.support.faults import WorkerFault


def broken_box(workers: int) -> Box:
    """A coordinator whose bookkeeping is found to be wrong after some steps."""
    box = Box(*[()] * workers)
    box.gather()
    for step in range(1, 10):
        box.check(step)

    def broken() -> None:
        raise AssertionError("the idle are not those without a task")

    box.scheduler.check = broken  # type: ignore[method-assign]
    return box


def test_an_unexpected_error_has_the_last_events_as_a_note_and_all_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    box = broken_box(workers=2)
    with pytest.raises(AssertionError, match="the idle") as caught:
        box.check(10)
    [note] = caught.value.__notes__
    head, *lines = note.split("\n")
    assert head == f"The last {NOTED} events of the scheduler:"
    assert len(lines) == NOTED
    assert lines[-1].startswith("   0.000 Begin(round=10, total=6,")
    assert "Assign(worker=b'worker" in lines[-1]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("gradsum.coordinator", logging.ERROR)
    said = record.getMessage().split("\n")
    assert said[0] == "AssertionError: the idle are not those without a task"
    assert len(said) == 2 + len(box.scheduler.events()) > NOTED + 2


def test_with_many_workers_lines_are_cut() -> None:
    with pytest.raises(AssertionError) as caught:
        broken_box(workers=20).check(10)
    lines = caught.value.__notes__[0].split("\n")
    assert max(map(len, lines)) == WIDEST + len(" ...")


def test_the_error_of_a_worker_is_one_line_for_people(caplog: pytest.LogCaptureFixture) -> None:
    box = Box(*[[WorkerFault.FAILED]] * FAILURES)
    box.gather()
    with pytest.raises(WorkerFailedError) as caught:
        box.check(1)
    assert not hasattr(caught.value, "__notes__")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Left(worker=b'worker" in caplog.text


def test_that_no_worker_can_be_started_has_nothing_to_do_with_rounds(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()

    def hopeless() -> None:
        raise WorkersError("no")

    box.supervisor.replace = hopeless
    with pytest.raises(WorkersError) as caught:
        box.coordinator.gather(1)
    assert not hasattr(caught.value, "__notes__")
    assert not caplog.records
