"""A relay in this process, with real processes below it and a real coordinator: from its command line to its end."""

from pathlib import Path

from tests.support.command import finish, save_data
from tests.support.remote import coordinator
from workers.command import main


def test_it_joins_computes_and_leaves_when_the_run_is_over(tidy: Path) -> None:
    save_data()
    run, arguments = coordinator("--steps", 12, "--min-workers", 2)
    assert main([*arguments, "--relay", "2", "--once"]) == 0
    assert finish(run).code == 0
