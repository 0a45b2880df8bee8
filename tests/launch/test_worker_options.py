"""What `gradsum worker` is given reaches its processes as it is."""

import argparse
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.launch.worker_options import add_worker_options, keys_of, words_of


def parse(words: list[str], patience: float = 600.0) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_worker_options(parser, patience)
    return parser.parse_args(words)


@pytest.mark.parametrize("options", [
    [],
    ["--insecure"],
    ["--key", "a key"],
    ["--patience", "0.30000000000000004"],
    ["--patience", "inf"],
    ["--key", "-", "--tied", "--once"],
    ["--key", "k", "--key-mode", "any"],
    ["--place", "job 21_3"],
    ["--place=-x", "--key=-k"],
])  # fmt: skip
def test_words_mean_the_same_again(options: list[str]) -> None:
    given = parse(["tcp://127.0.0.1:1", *options])
    assert parse(words_of(given), patience=1.0) == given


@pytest.mark.parametrize("patience", ["0", "-1", "nan"])
def test_no_patience(patience: str) -> None:
    with pytest.raises(UsageError, match="--patience must be a number of seconds above 0, got"):
        keys_of(parse(["tcp://127.0.0.1:1", "--patience", patience]))


@pytest.mark.parametrize("place", ["x" * 41, "a\nb"])
def test_a_place_that_is_no_name(place: str) -> None:
    with pytest.raises(UsageError, match="--place must be printable text of at most 40 characters"):
        keys_of(parse(["tcp://127.0.0.1:1", "--place", place]))


def test_keys_are_read_where_they_are_needed() -> None:
    assert keys_of(parse(["tcp://127.0.0.1:1"])) is None
    with pytest.raises(UsageError, match="is on another machine"):
        keys_of(parse(["tcp://10.0.0.1:1"]))
    with pytest.raises(UsageError, match="cannot be read"):
        keys_of(parse(["tcp://10.0.0.1:1", "--key", str(Path("missing"))]))
