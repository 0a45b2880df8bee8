"""The search for a learning rate: which rates it tries, when it ends, and what it suggests."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.checkpoint import load, save
from engine.errors import CheckpointError, SettingsError, UsageError
from engine.nn.schedule import Rising
from engine.records import list_runs
from engine.training.lr_find import FAR, LrFinding, far_above_least, lr_find
from tests.support.command import Gradsum, save_data

RUN: dict[str, Any] = {"batch_size": 4, "microbatch": 2, "workers": 0, "db": "r.db", "out": "out"}


@pytest.fixture(autouse=True)
def backend(numpy_kernels: None) -> None:
    """Use numpy's kernels."""


def test_the_rates_rise_by_the_same_factor() -> None:
    rising = Rising(1e-6, 10.0, 71)
    for step in range(1, 72):
        assert rising.rate(step) == pytest.approx(1e-6 * 1e7 ** ((step - 1) / 70), rel=1e-12)


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_least_mean() -> None:
    found = LrFinding((0.1, 0.2, 0.4, 0.8), (5.0, 1.0, 2.0, 9.0), (5.0, 3.0, 2.7, 4.0))
    assert found.least == 0.4
    assert found.suggestion == pytest.approx(0.04)


def test_nothing_is_suggested_after_no_step() -> None:
    with pytest.raises(UsageError, match="interrupted before its first step"):
        _ = LrFinding((), (), (), interrupted=True).suggestion


@pytest.mark.parametrize(
    ("means", "far"),
    [
        ([2.0, 1.0, 3.9], False),
        ([2.0, 1.0, 4.1], True),
        ([-3.0, -4.0, -3.5], False),
        ([-3.0, -4.0, 8.1], True),
        ([3.0, -1.0, 10.9], False),
        ([3.0, -1.0, 11.1], True),
        ([0.5, 0.0, 0.1], False),
        ([0.5, 0.0, 1.6], True),
    ],
)
def test_how_far_is_far(means: list[float], far: bool) -> None:
    assert far_above_least(means) == far


def test_a_run_whose_rate_rises_until_the_loss_does() -> None:
    save_data()
    found = lr_find("mlp", "data.npz", low=1e-5, high=1e4, steps=60, optimizer="momentum", **RUN)
    assert 2 <= len(found.losses) < 60, "the end is not reached"
    assert found.rates[0] == 1e-5
    assert len(found.rates) == len(found.losses) == len(found.means)
    assert found.means[0] == pytest.approx(found.losses[0])
    assert found.rates[0] / 10 <= found.suggestion < 1
    if math.isfinite(found.losses[-1]):
        assert found.means[-1] > FAR * min(found.means) or len(found.losses) > 5
    [run] = list_runs(Path("r.db"))
    assert run["name"] == "lr-find"
    again = lr_find("mlp", "data.npz", low=1e-5, high=1e4, steps=60, optimizer="momentum", **RUN | {"out": "again"})
    assert again == found


def test_what_it_leaves_can_be_verified_and_begun_with_but_not_resumed() -> None:
    save_data()
    lr_find("mlp", "data.npz", steps=6, optimizer="sgd", **RUN)
    verdict = engine.verify("out")
    assert (verdict.step, verdict.differs) == (6, None)
    with pytest.raises(CheckpointError, match="the checkpoint is of gradsum lr-find"):
        engine.train(resume="out", steps=9, workers=0)
    assert engine.train(data="data.npz", from_="out", **RUN | {"out": "new"}, steps=1).steps == 1


@pytest.mark.parametrize("rates", [{"low": 1.0}, {"low": 1.0, "high": "x", "steps": 2}])
def test_rates_that_cannot_be_read_are_refused(rates: dict[str, Any]) -> None:
    save_data()
    lr_find("mlp", "data.npz", steps=2, optimizer="sgd", **RUN)
    found = load("out")
    save(Path("other"), replace(found, run=replace(found.run, rates=rates)))
    with pytest.raises(CheckpointError, match="the rates of lr-find in the checkpoint cannot be read"):
        engine.verify("other")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": 1.0, "high": 1.0}, "from --low up to --high, both above 0, got 1 and 1"),
        ({"low": 0.0}, "both above 0, got 0 and 1"),
        ({"high": math.inf}, "got 1e-06 and inf"),
        ({"high": math.nan}, "got 1e-06 and nan"),
        ({"lr": 0.1}, "leave --lr out"),
        ({"min_lr": 0.1}, "leave --min-lr out"),
        ({"steps": 1}, "steps must be at least 2 for lr-find, got 1"),
    ],
)
def test_what_cannot_be_tried(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        engine.lr_find("mlp", "data.npz", **RUN | given)
    assert not Path("r.db").exists()


def test_the_command(gradsum: Gradsum) -> None:
    save_data()
    where = ("--db", "r.db", "--out", "out", "--picture", "found.svg", "--workers", 0, "--quiet", "--json")
    answer = gradsum("lr-find", "--data", "data.npz", "--model", "mlp", "--steps", 8, *where)
    assert answer.code == 0
    assert "suggested   --lr " in answer.out
    assert Path("found.svg").read_text().startswith("<?xml")
    said = json.loads(answer.out.splitlines()[-1])
    assert said["picture"] == "found.svg"
    assert len(said["rates"]) == len(said["losses"]) == 8
    wrong = gradsum("lr-find", "--data", "data.npz", "--low", 2, *where)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "from --low up to --high" in wrong.err
    assert gradsum("lr-find", "--picture", "found.txt").code == 2


@pytest.mark.parametrize(
    ("means", "said"),
    [
        ((4.0, 3.0, 2.0), "ask again with a higher --high"),
        ((2.0, 3.0, 4.0), "ask again with a lower --low"),
        ((3.0, 2.0, 4.0), None),
    ],
)
def test_the_command_says_when_the_rates_were_all_too_low_or_too_high(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, means: tuple[float, ...], said: str | None
) -> None:
    found = LrFinding((0.1, 0.2, 0.4), means, means)
    monkeypatch.setattr("engine.training.lr_find.lr_find", lambda **_: found)
    answer = gradsum("lr-find", "--picture", "found.svg")
    assert answer.code == 0
    assert (said in answer.out) if said else ("ask again" not in answer.out)
