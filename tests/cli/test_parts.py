"""Choosing by one part, and testing with another one: `--validation`, and `evaluate --part`."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.data import Dataset, Split, load
from tests.support.command import SMALL, Gradsum, save_data

HELD = ("--validation", 0.25)
QUIET = ("--quiet", "--json")


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


def copied(validation: float) -> Dataset:
    """Return the data with copies of what is trained with and chosen by, and nothing else."""
    held = load("data.npz").hold_out(validation)
    train, chosen_by = (Split(part.inputs.copy(), part.targets.copy()) for part in (held.train, held.validating))
    return Dataset("copied", held.classes, train, chosen_by)


def figures(answer: dict[str, Any]) -> Any:
    return answer["params_sha256"], answer["validation"], answer["best"]["percent"], answer["steps"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_sees_what_is_left_of_training_and_is_chosen_by_the_rest(gradsum: Gradsum, workers: int) -> None:
    given = ("--epochs", 3, "--workers", workers, "--dropout", 0.1, "--augment", "--out", "out", *QUIET)
    found = gradsum(*SMALL, *HELD, *given).json()
    options: dict[str, Any] = {
        "batch_size": 8,
        "microbatch": 4,
        "epochs": 3,
        "dropout": 0.1,
        "augment": True,
        "workers": 0,
    }
    result = engine.train("mlp", copied(0.25), db="copy.db", **options)
    assert figures(found) == figures(result.asdict())
    assert found["parts"] == {"train": 30, "validation": 10, "test": 12}
    assert result.asdict()["parts"] == {"train": 30, "validation": 10, "test": None}


def test_nothing_depends_on_the_test_part(gradsum: Gradsum) -> None:
    first = gradsum(*SMALL, *HELD, "--epochs", 2, *QUIET).json()
    arrays = dict(np.load("data.npz"))
    arrays["test_images"] = 255 - arrays["test_images"]
    np.savez("data.npz", **arrays)
    assert figures(gradsum(*SMALL, *HELD, "--epochs", 2, *QUIET).json()) == figures(first)


def test_what_is_said_and_recorded(gradsum: Gradsum) -> None:
    answer = gradsum(*SMALL, *HELD, "--epochs", 1, "--db", "r.db", "--out", "out")
    parts = "trains with 30 images, chooses by 10 held out of training; the other part, 12, is left to test with"
    assert f"  {parts}\n" in answer.err
    assert answer.out.splitlines()[-1] == "test        gradsum evaluate out --best --part test"
    with closing(sqlite3.connect("r.db")) as connection:
        [(said, settings)] = connection.execute("SELECT parts, settings FROM runs").fetchall()
    assert (said, json.loads(settings)["validation"]) == (parts, 0.25)
    assert parts in gradsum("show", 1, "--db", "r.db").out
    assert "is not a test" in gradsum(*SMALL, "--epochs", 1, "--db", "r.db").out


def test_each_part_can_be_asked_for_afterwards(gradsum: Gradsum) -> None:
    trained = gradsum(*SMALL, *HELD, "--epochs", 9, "--out", "out", *QUIET).json()
    held = load("data.npz").hold_out(0.25)
    network = engine.load_network("out")
    for options, part in (((), "validation"), (("--part", "test"), "test"), (("--part", "train"), "train")):
        answer = gradsum("evaluate", "out", *options, "--json")
        assert (answer.code, answer.err) == (0, "")
        samples = held.part(part)
        right = int((network.predict(samples.inputs) == samples.targets).sum())
        assert (answer.json()["part"], answer.json()["correct"], answer.json()["total"]) == (part, right, len(samples))
        assert network.evaluate(held, part).correct == right
    assert gradsum("evaluate", "out", "--json").json()["percent"] == trained["validation"]["percent"]
    assert ", test part)" in gradsum("evaluate", "out", "--part", "test").out
    assert network.evaluate(load("data.npz")).total == 12
    other = save_data("other.npz", seed=4)
    answer = gradsum("evaluate", "out", "--data", other, "--part", "test")
    assert (answer.err, "of 12 other, test part)" in answer.out) == ("", True)
    pictures = gradsum("plot", "confusion", "out", "--out", "c.png")
    assert (pictures.code, Path("c.png").exists()) == (0, True)


def test_a_part_that_was_chosen_by_is_not_called_a_test(gradsum: Gradsum) -> None:
    gradsum(*SMALL, "--epochs", 1, "--out", "out", "--quiet")
    for options in ((), ("--data", "data.npz")):
        answer = gradsum("evaluate", "out", "--part", "test", *options)
        assert answer.code == 0
        assert "training chose by this part, so this is not the figure of a test" in answer.err
    assert gradsum("evaluate", "out").err == ""


def test_a_resumed_run_keeps_what_is_held_out(gradsum: Gradsum) -> None:
    whole = gradsum(*SMALL, *HELD, "--steps", 8, *QUIET).json()
    gradsum(*SMALL, *HELD, "--steps", 3, "--out", "out", *QUIET)
    refused = gradsum("train", "--resume", "out", "--steps", 8, "--validation", 0.1)
    assert refused.code == 2
    assert "the run began with validation 0.25, not 0.1: a resumed run keeps this setting" in refused.err
    assert gradsum("train", "--resume", "out", "--steps", 8, *QUIET).json()["params_sha256"] == whole["params_sha256"]


def test_a_sweep_chooses_by_what_is_held_out(gradsum: Gradsum) -> None:
    sweep = ("sweep", *SMALL[1:], "--over", "lr=0.001,0.01", "--sampler", "grid", "--epochs", 2, *QUIET)
    found = gradsum(*sweep, *HELD, "--out", "s").json()
    config = Path(found["config"]).read_text()
    assert "validation = 0.25" in config
    again = gradsum("train", "--config", found["config"], "--workers", 0, *QUIET).json()
    assert again["validation"]["percent"] == found["best"]["value"]
    assert again["parts"] == {"train": 30, "validation": 10, "test": 12}
    refused = gradsum(*sweep[:-2], "--over", "validation=0.1,0.2")
    assert (refused.code, "validation" in refused.err) == (2, True)


@pytest.mark.parametrize("value", ["1", "-0.1", "nan", "1.5", "some"])
def test_a_fraction_that_is_none_is_refused(gradsum: Gradsum, value: str) -> None:
    answer = gradsum(*SMALL, "--validation", value)
    assert (answer.code, answer.out) == (2, "")
    assert "validation must be a number of at least 0 and below 1" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_part_that_is_not_there_is_refused(gradsum: Gradsum) -> None:
    answer = gradsum("evaluate", "out", "--part", "dev")
    assert answer.code == 2
    assert "test" in answer.err.splitlines()[-1]
