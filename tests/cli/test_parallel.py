"""Work that is divided among forked processes: the same answers, errors that reach the caller, nothing left."""

import os
import signal
from pathlib import Path

import pytest

from engine.cli.parallel import in_parallel
from engine.errors import DataError, GradsumError


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def refuse(number: int) -> int:
    if number == 2:
        raise DataError("two")
    return number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("processes", [1, 2, 9])
def test_answers_come_in_the_order_of_the_tasks(tidy: Path, processes: int) -> None:
    found = list(in_parallel(square, range(6), processes))
    assert [answer for answer, _ in found] == [0, 1, 4, 9, 16, 25]
    elsewhere = {pid for _, pid in found} - {os.getpid()}
    assert (len(elsewhere) > 0) == (processes > 1)


def test_one_task_needs_no_other_process() -> None:
    assert list(in_parallel(square, [3], 8)) == [(9, os.getpid())]
    assert list(in_parallel(square, [], 8)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_reaches_the_caller_after_what_came_before(tidy: Path, processes: int) -> None:
    answers = in_parallel(refuse, range(5), processes)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(DataError, match="two"):
        next(answers)


def test_a_process_that_is_killed_is_an_error_and_not_waited_for(tidy: Path) -> None:
    with pytest.raises(GradsumError, match="was killed"):
        list(in_parallel(die, range(5), 2))


def test_when_the_parent_is_killed_nothing_is_left(tidy: Path) -> None:
    """The end of a pipe tells when the last process that has it open is gone."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        list(in_parallel(kill_parent_and_wait, [0, 1], 2))
        os._exit(1)
    os.close(theirs)
    assert os.read(ours, 1) == b""
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    os.close(ours)


def kill_parent_and_wait(number: int) -> None:
    if number:
        os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
