"""Own code on several processes: those that join by TCP have the same bits, or are refused and told why."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import PATIENCE, SMALL, Gradsum, finish, save_data
from tests.support.own_code import LAYER, OWN_MODEL, forgotten, write
from tests.support.remote import coordinator, worker

ALONE = ("--model", "own.toml", "--steps", 12, "--import", "mine.py")


@pytest.fixture(autouse=True)
def module() -> Iterator[Path]:
    """Return the file of a module that is forgotten afterwards."""
    save_data()
    write("own.toml", OWN_MODEL)
    with forgotten():
        yield write("mine.py", LAYER)


def test_workers_with_another_version_or_none_are_refused(gradsum: Gradsum, module: Path) -> None:
    serial = gradsum(*SMALL, *ALONE, "--json", "--quiet", "--db", "s.db", "--out", "s").json()["params_sha256"]
    other = write("other/mine.py", f"{LAYER}\n# changed\n")
    run, command = coordinator(*ALONE, "--workers", 0, "--db", "r.db", "--out", "out")
    assert command[-2:] == ["--import", "mine"]
    words = ["worker", *command[:-2], "--processes", "1"]
    for more, said in (
        ([], "it has not imported mine: start it with --import mine"),
        (["--import", str(other)], "it has another version of mine ("),
    ):
        with worker([*words, *more], program="gradsum") as refused:
            assert refused.wait(PATIENCE) == 1
            assert refused.stderr is not None
            assert said in refused.stderr.read()
    with worker([*words[:-1], "2", "--import", str(module)], program="gradsum"):  # a relay
        ended = finish(run)
    assert (ended.code, ended.json()["params_sha256"]) == (0, serial)
