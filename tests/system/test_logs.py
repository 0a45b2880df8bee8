"""GRADSUM_LOG: silent by default, from a level on where it is set, and an error where it says something else."""

import logging
from collections.abc import Iterator

import pytest

from engine.errors import SettingsError
from engine.system.logs import VARIABLE, configure_logging

LOGGER = logging.getLogger("gradsum.room")


@pytest.fixture(autouse=True)
def quiet_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    monkeypatch.delenv(VARIABLE, raising=False)
    configure_logging()
    logging.getLogger("gradsum").setLevel(logging.NOTSET)


def say() -> None:
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        LOGGER.log(level, "it said %s", logging.getLevelName(level).lower())


@pytest.mark.parametrize(
    ("value", "heard"),
    [
        (None, []),
        ("", []),
        ("debug", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_heard(
    value: str | None, heard: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    for _ in range(2):  # a second call changes nothing
        configure_logging()
    say()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("gradsum.room ")[2] for line in lines] == [f"{x.upper()}: it said {x}" for x in heard]


def test_the_last_call_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(VARIABLE, "error")
    configure_logging()
    monkeypatch.delenv(VARIABLE)
    configure_logging()
    say()
    assert capsys.readouterr().err == ""


def test_a_level_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "loud")
    with pytest.raises(SettingsError, match="GRADSUM_LOG must be one of debug, info, warning, error, got 'loud'"):
        configure_logging()
