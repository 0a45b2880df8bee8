"""`gradsum coordinator`: a run with workers on other machines, and never one that no one can join."""

from pathlib import Path

import pytest

from tests.support.command import SMALL, Gradsum, finish, save_data, start
from tests.support.remote import printed, worker

ALONE = [word for word in SMALL[1:] if word not in ("--workers", 0)]
BOUND = 'bind = "tcp://127.0.0.1:0"\n'


@pytest.mark.parametrize("config", [None, "steps = 3\n", "workers = 2\n", 'bind = ""\n'])
def test_a_place_to_join_is_needed_wherever_it_is_given(gradsum: Gradsum, config: str | None) -> None:
    save_data()
    if config:
        Path("c.toml").write_text(config)
    answer = gradsum("coordinator", *ALONE, *(["--config", "c.toml"] if config else []))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "gradsum: give --bind tcp://HOST:PORT, where workers on other machines join\n"


def test_a_run_that_nobody_could_join_is_not_resumed_without_a_place(gradsum: Gradsum) -> None:
    save_data()
    assert gradsum(*SMALL, "--epochs", 1, "--db", "r.db", "--out", "out", "--quiet").code == 0
    answer = gradsum("coordinator", "--resume", "out", "--epochs", 2)
    assert answer.code == 2
    assert "give --bind tcp://HOST:PORT" in answer.err
    answer = gradsum("coordinator", "--resume", "nowhere")
    assert answer.code == 2
    assert "there is no checkpoint file nowhere" in answer.err


def test_the_number_of_workers_is_that_of_the_file_or_none(gradsum: Gradsum) -> None:
    save_data()
    Path("c.toml").write_text(BOUND + "workers = 1\n")
    common = ("--config", "c.toml", "--out", "out", "--quiet", "--json")
    answer = gradsum("coordinator", *ALONE, *common, "--epochs", 1)
    assert answer.code == 0, answer.err
    assert answer.json()["workers"] == 1
    process = start("coordinator", "--resume", "out", "--epochs", 2, "--quiet", "--json")
    with worker(printed(process)):  # it waits for one, at the place of the checkpoint
        again = finish(process)
    assert again.code == 0, again.err
    assert again.json()["steps"] == 10


LAUNCH = "[launch]\non = 'ssh'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUNCH, "--on ssh needs hosts"),
        ("[launch]\non = 'pbs'\n", "no launcher 'pbs'; there are here, ray, slurm, ssh"),
        ("[launch]\nsteps = 5\n", "[launch] has no option 'steps'"),
        ("launch = 'ssh'\n", "launch is a table: write [launch]"),
        ("on = 'here'\n[launch]\non = 'ssh'\n", "on is given twice, in [launch] and above it"),
    ],
)
def test_who_computes_may_be_said_in_a_table_of_its_own(gradsum: Gradsum, text: str, said: str) -> None:
    save_data()
    Path("c.toml").write_text(text)
    answer = gradsum("coordinator", *ALONE, "--config", "c.toml")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_a_run_that_is_started_again_until_it_is_done(gradsum: Gradsum) -> None:
    save_data()
    words = (*SMALL, "--resume", "out", "--or-begin", "--db", "r.db", "--quiet", "--json")
    first = gradsum(*words, "--steps", 3)
    assert first.code == 0, first.err
    again = gradsum(*words, "--steps", 6)
    assert again.code == 0, again.err
    assert (again.json()["steps"], again.json()["run"]) == (6, first.json()["run"])
    assert gradsum(*SMALL, "--or-begin").code == 2
