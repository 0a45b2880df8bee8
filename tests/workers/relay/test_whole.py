"""A relay in this process, with real processes below it and a real coordinator: from its command line to its end."""

from pathlib import Path

from tests.support.command import Gradsum, finish, save_data
from tests.support.remote import coordinator

STEPS = ("--steps", 12, "--min-workers", 2)


def test_it_joins_computes_and_leaves_when_the_run_is_over(tidy: Path, gradsum: Gradsum) -> None:
    save_data()
    run, arguments = coordinator(*STEPS)
    answer = gradsum("worker", *arguments, "--processes", 2, "--once")
    assert (answer.code, answer.out) == (0, "")
    assert finish(run).code == 0
