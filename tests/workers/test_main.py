"""`python -m workers`: what it says and how it exits, in this process."""

import os
from pathlib import Path

import pytest

from engine.system.blas import ONE_THREAD
from workers.__main__ import main


@pytest.fixture(autouse=True)
def same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONE_THREAD:
        monkeypatch.setenv(name, os.environ.get(name, "1"))


def test_a_worker_that_hears_nothing_ends_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"ipc://{Path('none').absolute()}"
    assert main([address, "--patience", "0.01"]) == 1
    assert capsys.readouterr().err == f"gradsum worker: nothing came from {address} for 0.01 seconds\n"
    assert ONE_THREAD.items() <= os.environ.items()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tcp://10.0.0.1:1",), "tcp://10.0.0.1:1 is on another machine"),
        (("tcp://127.0.0.1:1", "--patience", "0"), "--patience must be a number of seconds above 0"),
        (("tcp://127.0.0.1:1", "--key", "none"), "the key file .*none cannot be read"),
    ],
)
def test_what_it_cannot_work_with_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert main([*arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("gradsum worker: ")
    assert said.partition(" .*")[0] in err
    assert err.count("\n") == 1
